// What a first backup reads and leaves out unless somebody says otherwise.
import { localFolderOf } from '@restic-manager/contract/policy'
import type { HostView } from '@restic-manager/contract/views'

/** Groups of patterns that are rarely worth keeping, in restic's own syntax. */
export const excludePresets = [
  { word: 'caches', patterns: ['**/.cache', '**/CacheStorage', '**/__pycache__', '/var/cache'] },
  { word: 'trash', patterns: ['**/.Trash', '**/.Trash-*', '**/.local/share/Trash', '**/$RECYCLE.BIN'] },
  { word: 'node_modules', patterns: ['**/node_modules'] },
  { word: 'temporary files', patterns: ['*.tmp', '*.swp', '~$*'] },
  { word: 'system folders', patterns: ['/proc', '/sys', '/dev', '/run'] },
] as const

/** All of the presets, which is where a first backup begins. */
export const defaultExcludes: string[] = excludePresets.flatMap<string>(preset => preset.patterns)

/** Where an agent that is not root lets local repositories be unless its owner says otherwise. */
const ownFolder = /^(\/.+)\/\.local\/share\/restic-manager\/repositories$/

/** Folders to begin with, by operating system. An agent that is not root reads the home folder of its user: much else it may not. */
export function defaultPaths({ os, policy }: Pick<HostView, 'os' | 'policy'>): string[] {
  const home = ownFolder.exec(localFolderOf(policy?.repositories ?? []) ?? '')?.[1]
  if (home !== undefined) return [home]
  if (os === 'windows') return ['C:\\Users']
  if (os === 'darwin') return ['/Users']
  return ['/etc', '/home']
}

/** Whether every pattern of a preset is among the excludes. */
export const hasPreset = (excludes: readonly string[], patterns: readonly string[]): boolean =>
  patterns.every(pattern => excludes.includes(pattern))

/** The excludes with a preset put in, or taken out when it was there. */
export function togglePreset(excludes: readonly string[], patterns: readonly string[]): string[] {
  const others = excludes.filter(pattern => !patterns.includes(pattern))
  return hasPreset(excludes, patterns) ? others : [...others, ...patterns]
}
