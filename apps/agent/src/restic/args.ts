// The arguments of each restic command, by what the version can do.
import { slower } from '@restic-manager/contract/policy-rule'
import { backendOf } from '@restic-manager/contract/backends'
import type { Access } from './environment.ts'
import { capabilitiesOf } from './version.ts'

/** Limits in KiB per second. */
export type Bandwidth = { uploadKibps?: number | undefined; downloadKibps?: number | undefined }

/** Which repository a command is for, which restic runs it, and what of the network the host lets it take. */
export type Target = { access: Access; version: string; bandwidth?: Bandwidth }

/** What a backup leaves out and how it works. A limit is in KiB per second, a size in bytes. */
export type BackupRequest = {
  hostname: string
  tags: readonly string[]
  excludes: readonly string[]
  iexcludes?: readonly string[] | undefined
  excludeIfPresent?: readonly string[] | undefined
  oneFileSystem?: boolean | undefined
  excludeLargerThan?: number | undefined
  compression?: 'auto' | 'off' | 'max' | undefined
  uploadKibps?: number | undefined
  downloadKibps?: number | undefined
  readConcurrency?: number | undefined
  lockWaitMs: number
}

/** Files that carry what would be too much for a command line. `paths`: each ended by a NUL. The others: see `excludeFileText`. */
export type BackupFiles = {
  paths: string
  excludes?: string | undefined
  iexcludes?: string | undefined
}

/** Without `files` every pattern is spelt out and the paths are left to the caller: what a person may see. */
export function backupArgs(target: Target, request: BackupRequest, files?: BackupFiles): string[] {
  const { compression, readConcurrency, excludeLargerThan } = request
  return [
    ...globalArgs({ ...target, bandwidth: slowerOf(request, target.bandwidth ?? {}) }),
    'backup',
    '--json',
    ...retryLockArgs(target, request.lockWaitMs),
    '--host',
    request.hostname,
    ...request.tags.flatMap(tag => ['--tag', tag]),
    ...patternArgs('--exclude', request.excludes, files?.excludes),
    ...patternArgs('--iexclude', request.iexcludes ?? [], files?.iexcludes),
    ...(request.excludeIfPresent ?? []).flatMap(name => ['--exclude-if-present', name]),
    ...given(excludeLargerThan, '--exclude-larger-than'),
    ...(request.oneFileSystem === true ? ['--one-file-system'] : []),
    ...given(compression, '--compression'),
    ...(capabilitiesOf(target.version).readConcurrency ? given(readConcurrency, '--read-concurrency') : []),
    ...(files === undefined ? [] : ['--files-from-raw', files.paths]),
  ]
}

/** What is asked for, within what the owner of the host allows. */
export const slowerOf = (asked: Bandwidth, allowed: Bandwidth): Bandwidth => ({
  uploadKibps: slower(asked.uploadKibps, allowed.uploadKibps),
  downloadKibps: slower(asked.downloadKibps, allowed.downloadKibps),
})

/** Patterns as a file of them holds them, one a line: restic would put the environment in place of a `$`. */
export function excludeFileText(patterns: readonly string[]): string {
  return patterns
    .filter(fitsInFile)
    .map(pattern => `${pattern.replaceAll('$', '$$$$')}\n`)
    .join('')
}

/** restic trims the lines of such a file and takes some for comments. */
const fitsInFile = (pattern: string) => !/^[\s#]|\s$|[\r\n]/.test(pattern)

function patternArgs(flag: string, patterns: readonly string[], file: string | undefined): string[] {
  const inline = file === undefined ? patterns : patterns.filter(pattern => !fitsInFile(pattern))
  return [
    ...inline.flatMap(pattern => [flag, pattern]),
    ...(inline.length === patterns.length || file === undefined ? [] : [`${flag}-file`, file]),
  ]
}

export const initArgs = (target: Target): string[] => [...globalArgs(target), 'init', '--json']
export const unlockArgs = (target: Target): string[] => [...globalArgs(target), 'unlock', '--json']
export const catConfigArgs = (target: Target): string[] => [
  ...globalArgs(target),
  'cat',
  'config',
  '--no-lock',
]
export const listLocksArgs = (target: Target): string[] => [
  ...globalArgs(target),
  'list',
  'locks',
  '--no-lock',
]
export const catLockArgs = (target: Target, lockId: string): string[] => [
  ...globalArgs(target),
  'cat',
  'lock',
  lockId,
  '--no-lock',
]
/** Without a tag all snapshots. A tag may be several, joined by commas: a snapshot must then carry each of them. */
export const snapshotsArgs = (target: Target, filter: { tag?: string | undefined } = {}): string[] => [
  ...globalArgs(target),
  'snapshots',
  '--json',
  '--no-lock',
  ...(filter.tag === undefined ? [] : ['--tag', filter.tag]),
]
export const rawStatsArgs = (target: Target): string[] => [
  ...globalArgs(target),
  'stats',
  '--json',
  '--no-lock',
  '--mode',
  'raw-data',
]

/** A newer restic waits for a lock by itself. */
export function retryLockArgs({ version }: Target, lockWaitMs: number): string[] {
  if (!capabilitiesOf(version).retryLock) return []
  return [`--retry-lock=${Math.max(1, Math.round(lockWaitMs / 1000))}s`]
}

/** ssh must never ask anything. The agent gives restic no terminal, so that an old one cannot be asked either. */
export function globalArgs({ access, version, bandwidth = {} }: Target): string[] {
  const quietSsh = backendOf(access.url) === 'sftp' && capabilitiesOf(version).sftpArgs
  return [
    ...(quietSsh ? ['-o', 'sftp.args=-oBatchMode=yes -oServerAliveInterval=60 -oServerAliveCountMax=4'] : []),
    ...given(bandwidth.uploadKibps, '--limit-upload'),
    ...given(bandwidth.downloadKibps, '--limit-download'),
  ]
}

const given = <T>(value: T | undefined, flag: string) => (value === undefined ? [] : [`${flag}=${value}`])
