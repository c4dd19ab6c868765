// The backends that restic-manager sets up by itself, apart from the schemas of repositories: a page shows them long before it checks anything.
import type { BackendKind } from './repository.ts'

export const backendKinds = ['local', 'rest', 'sftp', 's3', 'b2', 'azure', 'gs', 'rclone'] as const

/**
 * What each backend takes beside the address. Environment names not listed here never reach restic. What the two fields
 * mean: b2 key id and key · azure account and its key or a SAS token · gs project and the JSON key of a service account ·
 * rclone the section of the remote, none where the host has a configuration of its own.
 */
export const backends = {
  local: { username: false, credential: false, environment: [] },
  rest: { username: true, credential: true, environment: ['RESTIC_CACERT'] },
  sftp: { username: false, credential: false, environment: [] },
  s3: { username: true, credential: true, environment: ['AWS_DEFAULT_REGION', 'RESTIC_CACERT'] },
  b2: { username: true, credential: true, environment: [] },
  azure: { username: true, credential: true, environment: ['AZURE_ENDPOINT_SUFFIX'] },
  gs: { username: true, credential: true, environment: [] },
  rclone: { username: false, credential: true, environment: [] },
} as const satisfies Record<
  BackendKind,
  { username: boolean; credential: boolean; environment: readonly string[] }
>

/** The backend an address names: the word before the first colon, or local for an absolute path. */
export function backendOf(url: string): BackendKind | undefined {
  if (/^(\/|[A-Za-z]:[\\/])/.test(url)) return 'local'
  const scheme = /^([a-z0-9]+):/.exec(url)?.[1]
  return backendKinds.find(kind => kind === scheme && kind !== 'local')
}

/** Whether an Azure secret is a token that somebody signed, not the key of the account. */
export const isSasToken = (credential: string): boolean => credential.includes('sig=')
