// A job's life: its kinds, its statuses, what may follow what, and the facts an agent reports about it.
import { z } from 'zod'
import { Fact } from './fact.ts'
import { Id } from './ids.ts'
import { Count, Instant, Path, Sentence, StorableJson, text } from './scalars.ts'

/** What a job does on its repository. */
export const JobKind = z.enum(['init', 'probe', 'backup', 'forget', 'prune', 'check', 'unlock'])
export type JobKind = z.infer<typeof JobKind>

/** Every status a job can have. */
export const JobStatus = z.enum([
  'queued',
  'accepted',
  'running',
  'succeeded',
  'incomplete',
  'failed',
  'cancelled',
  'skipped',
  'missed',
  'expired',
  'lost',
])
export type JobStatus = z.infer<typeof JobStatus>

/** How a job ends when the agent says so. Final: nothing follows. */
export const EndStatus = z.enum(['succeeded', 'incomplete', 'failed', 'cancelled'])
export type EndStatus = z.infer<typeof EndStatus>

const ended = EndStatus.options
const told = ['accepted', 'running', ...ended] as const // what an agent's fact makes of a status the server only guessed

/** Which status may follow which. The server enforces it in SQL; the page greys out buttons with it. */
export const nextStatuses = {
  queued: [...told, 'skipped', 'expired', 'lost'],
  accepted: ['running', 'lost', ...ended],
  running: ['lost', ...ended],
  succeeded: [],
  incomplete: [],
  failed: [],
  cancelled: [], // when an agent reported it; a cancel of a job nobody accepted is provisional, see `provisionalStatuses`
  skipped: ['queued', ...told], // the host asks after all, or was told otherwise: what it fires replaces our guess
  missed: ['queued', 'skipped', ...told],
  expired: told,
  lost: told,
} as const satisfies Record<JobStatus, readonly JobStatus[]>

/** Statuses the server only inferred or wished while no agent reported an end: a fact replaces them. */
export const provisionalStatuses = [
  'queued',
  'skipped',
  'missed',
  'expired',
  'lost',
  'cancelled',
] as const satisfies readonly JobStatus[]

/** The statuses from which a job may move to `to`. */
export function statusesBefore(to: JobStatus): JobStatus[] {
  return JobStatus.options.filter(from => (nextStatuses[from] as readonly JobStatus[]).includes(to))
}

/** What names a job in every message about it, so that the server can make the row when it never heard of it. */
export const JobHeader = z.object({
  jobId: Id,
  kind: JobKind,
  repositoryId: Id,
  scheduleId: Id.optional(),
  scheduledAt: Instant.optional(),
  retryOf: Id.optional(),
})
export type JobHeader = z.infer<typeof JobHeader>

/** `job.started`: restic is running. `command` is the line as run with secrets masked. Safe to deliver twice. */
export const JobStarted = z.object({
  ...Fact.shape,
  ...JobHeader.shape,
  startedAt: Instant,
  command: text(100_000),
  resticVersion: text(100),
})
export type JobStarted = z.infer<typeof JobStarted>

/** Where a running job stands. */
export const JobPhase = z.enum(['scanning', 'running', 'waiting for backend', 'stalled', 'cancelling'])
export type JobPhase = z.infer<typeof JobPhase>

/** The numbers of a live bar. `percentDone` is 0 to 1 and stays at 0.99 until restic's summary. */
export const Progress = z.object({
  phase: JobPhase,
  percentDone: z.number().min(0).max(1),
  filesDone: Count,
  totalFiles: Count,
  bytesDone: Count,
  totalBytes: Count,
  etaSeconds: Count.optional(),
  throughputBps: Count,
  currentFiles: z.array(text(4_096)).max(16).optional(),
})
export type Progress = z.infer<typeof Progress>

/** `job.progress`: telemetry, at most one per second, newest wins, may be lost. */
export const JobProgress = z.object({ jobId: Id, ...Progress.shape })
export type JobProgress = z.infer<typeof JobProgress>

/** Something that went less than well in a job that goes on. `code` is stable; `message` is for a person. */
export const Warning = z.object({ code: text(60).min(1), path: Path.optional(), message: Sentence })
export type Warning = z.infer<typeof Warning>

/** The most warnings one job reports; the rest is one warning `more_warnings` with the count. */
export const MAX_WARNINGS = 1_000

/** `job.finished`: how a job ended, as the agent saw it. `stats` is restic's summary verbatim. `lastLogSeq` −1: no log. Safe to deliver twice. */
export const JobFinished = z.object({
  ...Fact.shape,
  ...JobHeader.shape,
  status: EndStatus,
  exitCode: z.int().min(-0x8000_0000).max(0xffff_ffff).optional(), // Windows counts to 32 bits without a sign
  signal: text(20).optional(),
  reason: text(60).optional(),
  finishedAt: Instant,
  stats: z.record(text(60), StorableJson).optional(),
  warnings: z.array(Warning).max(MAX_WARNINGS + 1),
  error: Sentence.optional(),
  lastLogSeq: z.int().min(-1),
})
export type JobFinished = z.infer<typeof JobFinished>
