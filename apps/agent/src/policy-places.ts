// The folders that were local repositories of this host before its policy had rules for them: they stay allowed.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { complaintAboutPattern } from '@restic-manager/contract/policy'
import { askedAccess, placeOf } from '@restic-manager/contract/policy-rule'
import { backendOf } from '@restic-manager/contract/backends'
import type { RepositoryAccess } from '@restic-manager/contract/repository'
import { z } from 'zod'
import { readFileIfThere, savePrivateFile } from './files.ts'
import { usualLocalFolder, type UsualPolicy } from './policy.ts'

const Places = z.array(z.string().max(400)).max(100)
const MOST = 100

/**
 * What holds on this host where its policy file says nothing. The folders are written down once, at the first start of an
 * agent that has the rule: what a server names later is not among them. `repositories`: of the configuration on disk.
 */
export function usualPolicy(
  stateDir: string,
  repositories: readonly Pick<RepositoryAccess, 'url' | 'credential'>[] | undefined,
): UsualPolicy {
  const file = join(stateDir, 'known-places.json')
  if (repositories !== undefined && !existsSync(file))
    savePrivateFile(file, `${JSON.stringify(localPlaces(repositories))}\n`)
  return {
    localFolder: usualLocalFolder(),
    restoreRoot: join(stateDir, 'restores'),
    knownPlaces: readPlaces(file),
  }
}

function localPlaces(repositories: readonly Pick<RepositoryAccess, 'url' | 'credential'>[]): string[] {
  return repositories
    .map(access => placeOf(askedAccess(access)) ?? access.url)
    .filter(place => backendOf(place) === 'local' && place.length <= 400 && isPlain(place))
    .slice(0, MOST)
}

const isPlain = (place: string) => !place.includes('*') && complaintAboutPattern(place) === undefined

function readPlaces(file: string): string[] {
  try {
    return Places.parse(JSON.parse(readFileIfThere(file) ?? '[]'))
  } catch {
    return [] // damaged: then only what the owner allows
  }
}
