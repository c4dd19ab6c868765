// A repository in a folder that is backed up into it: read along, it would grow with every backup of itself.
import path from 'node:path'
import type { BackupSpec } from '@restic-manager/contract/command'
import { backendOf } from '@restic-manager/contract/backends'

/** What to read, without the folder of the repository at `url` where it lies in one of the paths. */
export function withoutRepository(spec: BackupSpec, url: string): BackupSpec {
  if (backendOf(url) !== 'local' || !spec.paths.some(folder => holds(folder, url))) return spec
  const folder = path.resolve(url)
  // On Windows the backslash parts folders, and restic has nothing to escape a pattern with.
  const pattern = process.platform === 'win32' ? folder : folder.replaceAll(/[\\*?[\]]/g, String.raw`\$&`)
  return { ...spec, excludes: [...(spec.excludes ?? []), pattern] }
}

function holds(folder: string, inner: string): boolean {
  const way = path.relative(folder, inner)
  return way !== '' && !path.isAbsolute(way) && way !== '..' && !way.startsWith(`..${path.sep}`)
}
