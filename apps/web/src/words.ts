// The words of statuses, states and kinds, and what reason to show beside them.
import type { JobKind, JobStatus } from '@restic-manager/contract/job'
import { reasonSentence } from '@restic-manager/contract/reasons'
import type { BackendKind } from '@restic-manager/contract/repository'
import type { HostState, JobBrief } from '@restic-manager/contract/views'

export const statusWords = {
  queued: 'Queued',
  accepted: 'Accepted',
  running: 'Running',
  succeeded: 'Succeeded',
  incomplete: 'Incomplete',
  failed: 'Failed',
  cancelled: 'Cancelled',
  skipped: 'Skipped',
  missed: 'Missed',
  expired: 'Expired',
  lost: 'Lost',
} as const satisfies Record<JobStatus, string>

export const stateWords = {
  online: 'Online',
  offline: 'Offline',
  paused: 'Paused',
  waiting: 'Waiting',
  quarantined: 'Quarantined',
} as const satisfies Record<HostState, string>

export const kindWords = {
  init: 'Initialise',
  probe: 'Test',
  backup: 'Backup',
  forget: 'Forget',
  prune: 'Prune',
  check: 'Check',
  unlock: 'Unlock',
} as const satisfies Record<JobKind, string>

export const backendWords = {
  local: 'Local folder',
  rest: 'REST server',
  sftp: 'SFTP',
  s3: 'S3',
  b2: 'Backblaze B2',
  azure: 'Azure',
  gs: 'Google Cloud',
  rclone: 'rclone',
} as const satisfies Record<BackendKind, string>

const shortReasons: Record<string, string> = {
  wrong_password: 'wrong password',
  repository_missing: 'no repository there',
  already_initialised: 'already there',
  locked: 'repository locked',
  unreachable: 'unreachable',
  backend_auth: 'credentials refused',
  host_key_unknown: 'unknown SSH key',
  storage_full: 'storage full',
  source_missing: 'folders missing',
  sources_unread: 'files unread',
  damaged: 'damage found',
  permission: 'not permitted',
  killed: 'restic killed',
  agent_restarted: 'agent stopped',
  agent_stopping: 'agent stopped',
  timeout: 'took too long',
  stalled: 'stalled',
  refused_by_policy: 'host policy',
  unsupported: 'agent too old',
  configuration_missing: 'no access data',
  restic_missing: 'restic missing',
  bad_request: 'bad arguments',
  cancelled_by_operator: 'by an operator',
  overlap: 'still running',
  superseded: 'a newer slot came',
  schedule_deleted: 'schedule deleted',
  schedule_paused: 'schedule paused',
  host_paused: 'host paused',
  host_was_off: 'host was off',
  not_reported: 'not heard of',
  no_maintenance_host: 'no maintenance host',
  access_forgotten: 'agent restarted',
  unsafe_retention: 'unsafe retention',
  nothing_kept: 'nothing would be kept',
  deletion_refused: 'deletion refused',
  hook_failed: 'hook failed',
  host_silent: 'host is silent',
  not_claimed: 'host was away',
  agent_lost_it: 'agent lost it',
  failed: 'restic failed',
}

/** A reason in two or three words, for a cell; the code itself where it is new to this version. */
export const shortReason = (code: string | null): string | undefined =>
  code === null ? undefined : (shortReasons[code] ?? code.replaceAll('_', ' '))

/** Why a job ended as it did, as a sentence: the code's own, else what the agent said. */
export function whyEnded(job: Pick<JobBrief, 'reason' | 'error' | 'status'>): string | undefined {
  if (job.status === 'succeeded') return undefined
  // What is missing of a restore point is better told by the agent: the code's sentence is about a whole failure.
  if (job.status === 'incomplete' && job.error !== null) return job.error
  const known = job.reason === null || job.reason === 'failed' ? undefined : reasonSentence(job.reason)
  return known ?? job.error ?? (job.reason === null ? undefined : reasonSentence(job.reason))
}

/** What the agent said beyond the sentence that already stands in the title. */
export function saidBeyond(error: string | null, title = ''): string | undefined {
  if (error === null || !error.startsWith(title)) return error ?? undefined
  return error.slice(title.length).trim() || undefined
}
