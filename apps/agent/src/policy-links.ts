// Where a folder of this host really is: a link inside of an allowed folder must not lead a repository out of it.
import { lstatSync, realpathSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { isAllowedPlace } from '@restic-manager/contract/policy'
import { askedAccess, placeOf } from '@restic-manager/contract/policy-rule'
import { backendOf } from '@restic-manager/contract/backends'
import type { RepositoryAccess } from '@restic-manager/contract/repository'

/**
 * Why the links on the way to a local repository keep it from being used, as a sentence; undefined when they do not. A
 * folder that the owner names is followed: what counts is what lies below it.
 */
export function complaintAboutLinks(
  patterns: readonly string[],
  access: Pick<RepositoryAccess, 'url' | 'credential'>,
): string | undefined {
  const place = placeOf(askedAccess(access)) ?? access.url
  if (backendOf(place) !== 'local' || patterns.includes('**')) return undefined
  const real = realPlace(resolve(place))
  if (real === undefined)
    return `A link on the way to ${place} cannot be followed: see "repositories" in the policy file of this host.`
  if (isAllowedPlace([...patterns, ...patterns.map(realPattern)], real)) return undefined
  return `A link leads from ${place} to ${real}, where the policy of this host allows no repository: see "repositories" in its policy file.`
}

/** The path without links, as far as it exists. Undefined: a link of it leads nowhere, or may not be read. */
function realPlace(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    if (isThere(path)) return undefined
    const above = dirname(path)
    const real = above === path ? path : realPlace(above)
    return real === undefined ? undefined : join(real, basename(path))
  }
}

function isThere(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOTDIR'
  }
}

/** A pattern whose part before the first star has no links. */
function realPattern(pattern: string): string {
  if (backendOf(pattern) !== 'local') return pattern
  const [, fixed = pattern, open = ''] = /^([^*]*)[\\/]([^\\/]*\*.*)$/.exec(pattern) ?? []
  const real = fixed === '' ? undefined : realPlace(resolve(fixed))
  return real === undefined ? pattern : open === '' ? real : join(real, open)
}
