// The recovery kit: everything a person needs to restore with plain restic, when nothing else is left.
import { rcloneEnvironment, rcloneRemoteOf, readRcloneSection } from '@restic-manager/contract/rclone'
import { isSasToken } from '@restic-manager/contract/backends'
import type { BackendKind } from '@restic-manager/contract/repository'

/** What the kit of one repository holds. `madeAt` is written on it. */
export type KitOf = {
  name: string
  kind: BackendKind
  url: string
  password: string
  username?: string | undefined
  credential?: string | undefined
  environment?: Record<string, string> | undefined
  /** The access that may also delete, where that is another one. */
  adminUsername?: string | undefined
  adminCredential?: string | undefined
  /** Names of the hosts that back up there, where that is known. */
  hosts?: readonly string[] | undefined
  madeAt: Date
}

/** A value as one word of a POSIX shell. */
const quoted = (value: string) => `'${value.replaceAll("'", `'\\''`)}'`

const credentialNames: Record<BackendKind, { username?: string; credential?: string }> = {
  local: {},
  sftp: {},
  rest: { username: 'RESTIC_REST_USERNAME', credential: 'RESTIC_REST_PASSWORD' },
  s3: { username: 'AWS_ACCESS_KEY_ID', credential: 'AWS_SECRET_ACCESS_KEY' },
  b2: { username: 'B2_ACCOUNT_ID', credential: 'B2_ACCOUNT_KEY' },
  azure: { username: 'AZURE_ACCOUNT_NAME', credential: 'AZURE_ACCOUNT_KEY' },
  gs: { username: 'GOOGLE_PROJECT_ID' },
  rclone: {},
}

/** Lines of a shell that give restic the repository and its key. */
function openingLines({ url, password }: KitOf): string[] {
  return [`export RESTIC_REPOSITORY=${quoted(url)}`, `export RESTIC_PASSWORD=${quoted(password)}`]
}

/** Lines of a shell that give restic what its storage asks for. */
function accessLines(of: KitOf): string[] {
  const names = credentialNames[of.kind]
  const { username = '', credential = '' } = of
  const exports: [string, string][] = Object.entries(of.environment ?? {})
  if (names.username !== undefined) exports.push([names.username, username])
  if (of.kind === 'azure' && isSasToken(credential)) exports.push(['AZURE_ACCOUNT_SAS', credential])
  else if (names.credential !== undefined) exports.push([names.credential, credential])
  if (of.kind === 'rclone') exports.push(...rcloneExports(of.url, credential))
  const lines = exports
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `export ${name}=${quoted(value)}`)
  if (of.kind !== 'gs' || credential === '') return lines
  return [
    `printf %s ${quoted(credential)} > google-key.json`,
    ...lines,
    'export GOOGLE_APPLICATION_CREDENTIALS="$PWD/google-key.json"',
  ]
}

function rcloneExports(url: string, section: string): [string, string][] {
  const name = rcloneRemoteOf(url)
  const remote = readRcloneSection(section)
  return name === undefined || 'complaint' in remote ? [] : Object.entries(rcloneEnvironment(name, remote))
}

/** For who has to delete: the everyday access of an append-only store cannot. */
function maintenanceLines(of: KitOf): string[] {
  const { adminUsername, adminCredential } = of
  if (adminUsername === undefined && adminCredential === undefined) return []
  const admin = {
    ...of,
    environment: undefined,
    username: adminUsername ?? of.username,
    credential: adminCredential ?? of.credential,
  }
  return ['To forget or prune as well, give it this access instead:', '', ...accessLines(admin), '']
}

/** What the machine must have besides restic. */
function needs({ kind, url, credential = '', environment }: KitOf): string[] {
  const sentences: string[] = []
  if (kind === 'sftp') sentences.push('The machine needs an SSH key that the SFTP server accepts.')
  if (kind === 'local')
    sentences.push('The folder is on the host that made the backup: attach its disk, or copy the folder.')
  if (kind === 'rclone')
    sentences.push(
      credential === ''
        ? `The machine needs rclone (https://rclone.org) with a remote "${rcloneRemoteOf(url)}" like the one of the host that made the backup.`
        : 'The machine needs rclone (https://rclone.org).',
    )
  const authorities = environment?.['RESTIC_CACERT']
  if (authorities !== undefined)
    sentences.push(`The machine needs the file ${authorities}, with the certificate authority of the server.`)
  return sentences.flatMap(sentence => [sentence, ''])
}

/** The kit as text, to keep on paper or in a password manager. */
export function recoveryKit(of: KitOf): string {
  return [
    'RECOVERY KIT',
    `Repository ${of.name}, written ${of.madeAt.toISOString().slice(0, 10)}`,
    '',
    'Keep this where you find it when every machine is gone: on paper, or in a password manager.',
    'Whoever has it can read and delete the backups. Without the password nobody can read them.',
    '',
    `Address   ${of.url}`,
    `Password  ${of.password}`,
    ...(of.hosts === undefined || of.hosts.length === 0 ? [] : [`Hosts     ${of.hosts.join(', ')}`]),
    '',
    'To restore without restic-manager: install restic (https://restic.net), open a shell, and run',
    '',
    ...openingLines(of),
    ...accessLines(of),
    'restic snapshots                              # what is there',
    'restic restore latest --target ./restored     # the newest restore point',
    'restic restore ID --target ./restored --include /path/to/file',
    '',
    ...maintenanceLines(of),
    ...needs(of),
  ].join('\n')
}
