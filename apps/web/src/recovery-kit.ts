// The recovery kit: everything a person needs to restore with plain restic, when nothing else is left.
import { type BackendKind } from '@restic-manager/contract/repository'

/** What the kit of one repository holds. `madeAt` is written on it. */
export type KitOf = {
  name: string
  kind: BackendKind
  url: string
  password: string
  username?: string | undefined
  credential?: string | undefined
  environment?: Record<string, string> | undefined
  madeAt: Date
}

/** A value as one word of a POSIX shell. */
const quoted = (value: string) => `'${value.replaceAll("'", `'\\''`)}'`

const credentialNames: Record<BackendKind, { username?: string; credential?: string }> = {
  local: {},
  sftp: {},
  rest: { username: 'RESTIC_REST_USERNAME', credential: 'RESTIC_REST_PASSWORD' },
  s3: { username: 'AWS_ACCESS_KEY_ID', credential: 'AWS_SECRET_ACCESS_KEY' },
}

/** The kit as text, to keep on paper or in a password manager. */
export function recoveryKit(of: KitOf): string {
  const names = credentialNames[of.kind]
  const exports: [string, string | undefined][] = [
    ['RESTIC_REPOSITORY', of.url],
    ['RESTIC_PASSWORD', of.password],
    ...Object.entries(of.environment ?? {}),
  ]
  if (names.username !== undefined) exports.push([names.username, of.username])
  if (names.credential !== undefined) exports.push([names.credential, of.credential])
  const lines = exports
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `export ${name}=${quoted(value ?? '')}`)
  return [
    'RECOVERY KIT',
    `Repository ${of.name}, written ${of.madeAt.toISOString().slice(0, 10)}`,
    '',
    'Keep this where you find it when every machine is gone: on paper, or in a password manager.',
    'Whoever has it can read and delete the backups. Without the password nobody can read them.',
    '',
    `Address   ${of.url}`,
    `Password  ${of.password}`,
    '',
    'To restore without restic-manager: install restic (https://restic.net), open a shell, and run',
    '',
    ...lines,
    'restic snapshots                              # what is there',
    'restic restore latest --target ./restored     # the newest restore point',
    'restic restore ID --target ./restored --include /path/to/file',
    '',
    ...(of.kind === 'sftp' ? ['The machine needs an SSH key that the SFTP server accepts.', ''] : []),
    ...(of.kind === 'local'
      ? ['The folder is on the host that made the backup: attach its disk, or copy the folder.', '']
      : []),
  ].join('\n')
}
