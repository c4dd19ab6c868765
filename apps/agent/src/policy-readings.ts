// Files of this host that a server may name for restic or rclone to read: small plain files, and nothing that never ends.
import { realpathSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { rcloneRemoteOf, readRcloneSection } from '@restic-manager/contract/rclone'
import type { RepositoryAccess } from '@restic-manager/contract/repository'

type Asked = Pick<RepositoryAccess, 'url' | 'credential' | 'environment'>

const MOST_BYTES = 4 * 1024 * 1024
/** Keys of an rclone remote whose value is a file. */
const fileKeys = ['key_file', 'known_hosts_file']

/** Why a file that the server names is not read, as a sentence; undefined when all may be. One that is missing is restic's to say. */
export function complaintAboutReadings(access: Asked): string | undefined {
  for (const [name, path] of readingsOf(access)) {
    const file = path.startsWith('~/') ? join(homedir(), path.slice(2)) : path
    if (!isAbsolute(file) || file.includes('$'))
      return `${name} must be an absolute path on this host. It is ${JSON.stringify(path)}.`
    if (!isSmallFile(file)) return `${name} must be a plain file of at most 4 MiB, and ${file} is none.`
  }
  return undefined
}

/** restic takes several files of authorities, joined by commas. */
function readingsOf({ url, credential, environment = {} }: Asked): [name: string, path: string][] {
  const authorities = environment['RESTIC_CACERT']?.split(',') ?? []
  const values = valuesOf(url, credential)
  return [
    ...authorities.map((path): [string, string] => ['RESTIC_CACERT', path]),
    ...fileKeys.flatMap((key): [string, string][] => (values[key] === undefined ? [] : [[key, values[key]]])),
  ]
}

function valuesOf(url: string, credential: string | undefined): Readonly<Record<string, string>> {
  if (credential === undefined || rcloneRemoteOf(url) === undefined) return {}
  const remote = readRcloneSection(credential)
  return 'complaint' in remote ? {} : remote.values
}

/** Devices and the kernel's own files: some of those say they are plain and empty, and can be read for ever. */
const isOfTheSystem = (file: string) => /^\/(dev|proc|sys)(\/|$)/.test(file)

function isSmallFile(file: string): boolean {
  if (isOfTheSystem(resolve(file))) return false
  try {
    const status = statSync(file)
    return status.isFile() && status.size <= MOST_BYTES && !isOfTheSystem(realpathSync(file))
  } catch {
    return true
  }
}
