// The arguments of each restic command, by what the version can do, and the line a person may see of them.
import { backendOf } from '@restic-manager/contract/repository'
import { fitText } from './fit-text.ts'
import { visibleEnvironment, type Access } from './environment.ts'
import { capabilitiesOf } from './version.ts'

/** Which repository a command is for, and which restic runs it. */
export type Target = { access: Access; version: string }

/** The longest command line that is shown. The contract takes 100,000 characters. */
const MAX_SHOWN = 90_000

export type BackupRequest = {
  hostname: string
  tags: readonly string[]
  excludes: readonly string[]
  /** A file with the paths to back up, each ended by a NUL. */
  listFile: string
  lockWaitMs: number
}

export function backupArgs(target: Target, request: BackupRequest): string[] {
  const { retryLock } = capabilitiesOf(target.version)
  return [
    ...globalArgs(target),
    'backup',
    '--json',
    ...(retryLock ? [`--retry-lock=${Math.max(1, Math.round(request.lockWaitMs / 1000))}s`] : []),
    '--host',
    request.hostname,
    ...request.tags.flatMap(tag => ['--tag', tag]),
    ...request.excludes.flatMap(pattern => ['--exclude', pattern]),
    '--files-from-raw',
    request.listFile,
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
export const snapshotsArgs = (target: Target, filter: { tag?: string } = {}): string[] => [
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

/**
 * The command as a person may see it: secrets masked, the repository spelt out, and the paths in the place of the
 * file that lists them.
 */
export function shownCommand(target: Target, args: readonly string[], paths: readonly string[] = []): string {
  const at = args.indexOf('--files-from-raw')
  const plain = at === -1 ? args : [...args.slice(0, at), ...args.slice(at + 2)]
  const environment = visibleEnvironment(target.access, target.version).map(
    ([name, value]) => `${name}=${value}`,
  )
  const head = ['restic', '-r', target.access.url, ...plain, ...(paths.length > 0 ? ['--'] : [])].map(
    quoteWord,
  )
  let line = [...environment, head.join(' ')].join('\n')
  if (line.length > MAX_SHOWN) line = `${fitText(line, MAX_SHOWN)} …`
  for (const [index, path] of paths.entries()) {
    const word = quoteWord(path)
    if (line.length + word.length > MAX_SHOWN) return `${line} … and ${paths.length - index} more paths`
    line += ` ${word}`
  }
  return line
}

/** ssh must never ask anything. The agent gives restic no terminal, so that an old one cannot be asked either. */
function globalArgs({ access, version }: Target): string[] {
  const quietSsh = backendOf(access.url) === 'sftp' && capabilitiesOf(version).sftpArgs
  return quietSsh ? ['-o', 'sftp.args=-oBatchMode=yes -oServerAliveInterval=60 -oServerAliveCountMax=4'] : []
}

/** As a shell would need it. */
function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}
