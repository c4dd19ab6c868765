// What a first backup reads and leaves out unless somebody says otherwise.

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

/** Folders to begin with, by operating system. */
export function defaultPaths(os: string | null): string[] {
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
