// Repositories: where one may be, what of it reaches a host, and the rules both ends check.
import { z } from 'zod'
import { backendKinds, backendOf } from './backends.ts'
import { Id } from './ids.ts'
import { rcloneRemoteOf, readRcloneSection } from './rclone.ts'
import { Count, Instant, text, Version } from './scalars.ts'

/** The backends restic-manager sets up by itself. */
export const BackendKind = z.enum(backendKinds)
export type BackendKind = z.infer<typeof BackendKind>

/** Addresses that are a place in a store and nothing else. */
const storeAddresses = {
  b2: [
    /^b2:[A-Za-z0-9-]{3,63}(:[^:]*)?$/,
    'A B2 address looks like b2:bucket:path. The bucket has letters, digits and dashes.',
  ],
  azure: [
    /^azure:(\$root|[a-z0-9-]{3,63}):\/?[^:]*$/,
    'An Azure address looks like azure:container:/path. The container has small letters, digits and dashes.',
  ],
  gs: [
    /^gs:[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]:\/?[^:]*$/,
    'A Google Cloud Storage address looks like gs:bucket:/path.',
  ],
} as const

/** What is wrong with a repository address, as a sentence; undefined when it can be used. */
export function complaintAboutUrl(url: string): string | undefined {
  const kind = backendOf(url)
  if (/[\s\0]/.test(url) && kind !== 'local') return 'The address must not contain spaces.'
  switch (kind) {
    case undefined:
      return 'The address must be an absolute path, or begin with rest:, sftp:, s3:, b2:, azure:, gs: or rclone:, such as rest:https://backup.example.com/host-1/.'
    case 'local':
      return url.split(/[\\/]/).includes('..') ? 'The path must not contain "..".' : undefined
    case 'sftp':
      return complaintAboutSftp(url)
    case 'rclone':
      return rcloneRemoteOf(url) === undefined
        ? 'An rclone address looks like rclone:remote:path. The name of the remote begins with a letter and has letters, digits and _ only.'
        : undefined
    case 'b2':
    case 'azure':
    case 'gs': {
      const [shape, sentence] = storeAddresses[kind]
      return shape.test(url) ? undefined : sentence
    }
    case 'rest':
    case 's3':
      return complaintAboutHttp(kind, url.slice(kind.length + 1))
  }
}

function complaintAboutSftp(url: string): string | undefined {
  if (/^sftp:(\/\/)?([^:/]*@)?-/.test(url)) return 'The SFTP host must not begin with a dash.'
  if (/^sftp:(\/\/)?[^@/]*:[^@/]*@/.test(url))
    return 'The address must not contain a password. SFTP signs in with the SSH key of the host.'
  // An older ssh puts both into a ProxyCommand of the host's configuration, which a shell reads: CVE-2023-51385.
  const target = /^sftp:(\/\/[^/]*|[^/:]*)/.exec(url)?.[1] ?? ''
  if (/["'`$;&<>|(){},]/.test(target))
    return 'The user and the host of an SFTP address must not contain marks that a shell reads.'
  return /^sftp:(\/\/[^/]+\/.+|[^/:]+:.+)$/.test(url)
    ? undefined
    : 'An SFTP address looks like sftp:user@host:/path or sftp://user@host:port//path.'
}

function complaintAboutHttp(kind: 'rest' | 's3', inner: string): string | undefined {
  const target = /^https?:\/\//.test(inner) ? inner : kind === 's3' ? `https://${inner}` : undefined
  const parsed = target === undefined ? null : URL.parse(target)
  if (parsed === null)
    return kind === 'rest'
      ? 'A REST address looks like rest:https://host:8000/path/.'
      : 'An S3 address looks like s3:https://host/bucket/path or s3:s3.amazonaws.com/bucket.'
  if (parsed.username !== '' || parsed.password !== '')
    return 'The address must not contain a user name or password. Put them in their own fields.'
  if (kind === 's3' && parsed.pathname.replaceAll('/', '') === '')
    return 'The S3 address names no bucket. It looks like s3:https://host/bucket.'
  return undefined
}

/** What is wrong with a backend's secret, as a sentence; undefined when it can be used. Holds no part of the secret. */
export function complaintAboutCredential(kind: BackendKind, credential: string): string | undefined {
  if (kind === 'rclone') {
    const remote = readRcloneSection(credential)
    return 'complaint' in remote ? remote.complaint : undefined
  }
  if (kind === 'gs')
    return readGoogleKey(credential) === undefined
      ? 'Paste the JSON key file of a Google service account as it is.'
      : undefined
  return /[\r\n]/.test(credential) ? 'The secret must be one line.' : undefined
}

const GoogleKey = z.looseObject({ type: z.enum(['service_account', 'authorized_user']) })

/** The JSON key of a Google account. Other types of it make the library run programs or call addresses it names. */
export function readGoogleKey(credential: string): Record<string, unknown> | undefined {
  try {
    return GoogleKey.safeParse(JSON.parse(credential)).data
  } catch {
    return undefined
  }
}

/** An address restic can use, without credentials in it. */
export const RepositoryUrl = text(2_000)
  .min(1)
  .superRefine((url, ctx) => {
    const complaint = complaintAboutUrl(url)
    if (complaint !== undefined) ctx.addIssue({ code: 'custom', message: complaint })
  })

/** Extra environment for restic's backend: values by name. Which names pass depends on the backend. */
export const BackendEnvironment = z.record(text(60).regex(/^[A-Z][A-Z0-9_]*$/), text(2_000))

/** Everyday access to one repository, as a host gets it. `username` and `credential` are the backend's, `password` is restic's. */
export const RepositoryAccess = z.object({
  repositoryId: Id,
  resticId: text(64).optional(),
  url: RepositoryUrl,
  password: text(2_000).min(1),
  username: text(200).optional(),
  credential: text(20_000).optional(),
  environment: BackendEnvironment.optional(),
  mayDelete: z.boolean(),
})
export type RepositoryAccess = z.infer<typeof RepositoryAccess>

/** `config.update`: the whole of it, every time. A repository no longer listed is erased from the host. Latest received wins. */
export const ConfigUpdate = z.object({
  version: Version,
  repositories: z.array(RepositoryAccess).max(1_000),
  maxConcurrentRuns: z.int().min(1).max(64),
  /** What runs the text of hooks, where the host's policy allows such: an absolute path. Absent: `/bin/sh`, on Windows PowerShell. */
  hookShell: text(400).optional(),
})
export type ConfigUpdate = z.infer<typeof ConfigUpdate>

/** `config.ack`: this version is on disk and in use. */
export const ConfigAck = z.object({ version: Version, appliedAt: Instant })
export type ConfigAck = z.infer<typeof ConfigAck>

/** One lock file of a repository, as restic wrote it. */
export const RepositoryLock = z.object({
  hostname: text(200).min(1), // as it stands in the lock, whoever wrote that
  pid: Count,
  createdAt: Instant,
  exclusive: z.boolean(),
})
export type RepositoryLock = z.infer<typeof RepositoryLock>

/** `repo.stats`: size and state of a repository. Lock state comes after every job, the rest daily and after check and prune. Newest wins. */
export const RepoStats = z.object({
  repositoryId: Id,
  sizeBytes: Count.optional(),
  snapshotCount: Count.optional(),
  dedupRatio: z.number().min(0).max(1_000_000).optional(),
  resticId: text(64).optional(),
  lastCheckAt: Instant.optional(),
  lastCheckStatus: text(60).optional(),
  lockState: z.enum(['locked', 'unlocked']),
  locks: z.array(RepositoryLock).max(1_000).optional(),
})
export type RepoStats = z.infer<typeof RepoStats>
