// The configuration the server gave this host, whole, in a file only its owner can read.
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { ConfigUpdate, type RepositoryAccess } from '@restic-manager/contract/repository'
import type { Log } from '@restic-manager/runtime/log'
import { readFileIfThere, savePrivateFile } from './files.ts'
import { noReserve, type Reserve } from './reserve.ts'

export type AppliedConfig = {
  current(): ConfigUpdate
  /** Replaces everything: what is no longer listed is gone from this host. Safe to call twice. */
  apply(update: ConfigUpdate): void
  repository(repositoryId: string): RepositoryAccess | undefined
}

const none: ConfigUpdate = { version: 0, repositories: [], maxConcurrentRuns: 1 }

/** Opens the configuration kept in `folder`. One that cannot be read counts as none: the server sends it after every hello. */
export function openAppliedConfig(folder: string, log: Log, reserve: Reserve = noReserve): AppliedConfig {
  const path = join(folder, 'config.json')
  let current = none
  const text = readFileIfThere(path)
  if (text !== undefined) {
    const read = ConfigUpdate.safeParse(parseJson(text))
    if (read.success) current = read.data
    else log.error({ path }, 'the saved configuration cannot be read; waiting for the server to send it')
  }
  const save = (update: ConfigUpdate) =>
    reserve.spend('some', () => savePrivateFile(path, `${JSON.stringify(update)}\n`))
  return {
    current: () => current,
    apply(update) {
      const wanted = ConfigUpdate.parse(update)
      // The server sends it after every hello. What is on disk already needs no room on a disk that is full.
      if (!isDeepStrictEqual(wanted, current)) save(wanted)
      current = wanted
    },
    repository: repositoryId => current.repositories.find(each => each.repositoryId === repositoryId),
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
