// What a job is given and what it gives back: the seam between the runner and the work on restic.
import type { Hook } from '@restic-manager/contract/command'
import type { Id } from '@restic-manager/contract/ids'
import type { EndStatus, Progress, Warning } from '@restic-manager/contract/job'
import type { LogStream } from '@restic-manager/contract/log'
import type { JobReason } from '@restic-manager/contract/reasons'
import type { RepositoryAccess } from '@restic-manager/contract/repository'
import type { Timing } from '@restic-manager/contract/timing'
import type { Bandwidth } from '../restic/args.ts'
import type { Folders } from '../restic/environment.ts'
import type { JsonValue } from '../restic/messages.ts'

/** Everything needed to ask a repository something. `signal` stops the restic that runs. */
export type RepositoryContext = {
  hostId: Id
  repository: RepositoryAccess
  /** Whether the access was lent for this one run, with the right to delete. */
  isElevated: boolean
  /** `path` is absolute. */
  restic: { path: string; version: string }
  /** `temp` is 0700: lists of paths lie there for a moment, and restic's own temporary files. */
  folders: Folders
  signal: AbortSignal
  timing: Timing
  /** What the owner of the host lets any restic take of the network. */
  bandwidth?: Bandwidth
}

/**
 * What a job works with. Abort `signal` with the reason `agent_stopping` when the agent stops, or `timeout` when the
 * job took too long: it then ends as failed for that reason. Any other reason means an operator cancelled.
 */
export type JobContext = RepositoryContext & {
  jobId: Id
  scheduleId?: Id
  /** The name snapshots are filed under. It must stay the same: restic finds the parent snapshot by it. */
  hostname: string
  /** Called once, just after the first process that works for the job was spawned, or the restic that stopped it from running. */
  onStart(start: ResticStart): void
  /** The pid of a further process of this job: restic after a hook, or again because the repository was locked. */
  onRespawn?(pid: number): void
  /** Runs a program of the host before or after a backup. Undefined when it succeeded, else why not, as a sentence. */
  runHook(hook: Hook, call: HookCall): Promise<string | undefined>
  /** Redacted and at most 16 KiB. Progress does not come here. */
  onLine(line: { stream: LogStream; payload: string }): void
  /** At most one a second. */
  onProgress(progress: Progress): void
}

/** One call of a program of the host. `signal` stops it. */
export type HookCall = {
  name: 'pre-hook' | 'post-hook'
  environment: Record<string, string>
  signal: AbortSignal
  /** It is stopped after this long, whatever limit it has of its own. */
  atMostMs?: number
  onSpawn?(pid: number): void
}

export type ResticStart = {
  /** As run, with secrets masked and the list of paths spelt out. */
  command: string
  resticVersion: string
  pid: number
}

/** How a job ended. `stats` is restic's summary verbatim, `resticId` the id in the repository's configuration. */
export type Outcome = {
  status: EndStatus
  reason?: JobReason
  /** One sentence for a person, with restic's own words where it said something. */
  error?: string
  exitCode?: number
  signal?: string
  stats?: Record<string, JsonValue>
  warnings: Warning[]
  resticId?: string
  snapshotId?: string
}
