// What operators see: the answers of the operator procedures. Times are `Date`: superjson carries them.
import { z } from 'zod'
import { PolicySummary } from './agent.ts'
import { BackupDay } from './days.ts'
import { HostPauseView } from './host-pause.ts'
import { HostSpool } from './host-spool.ts'
import { Id } from './ids.ts'
import { ScheduleDraft } from './schedule.ts'
import { JobKind, JobStatus, Progress, Warning } from './job.ts'
import { BackendEnvironment, BackendKind, RepositoryLock } from './repository.ts'

/** What a host is doing about its link. `waiting`: it was enrolled, and an admin has to let it in. `paused`: linked or not, its schedules rest. */
export const HostState = z.enum(['online', 'offline', 'paused', 'waiting', 'quarantined'])
export type HostState = z.infer<typeof HostState>

/** A job in one line, as lists and hosts show it. */
export const JobBrief = z.object({
  id: Id,
  hostId: Id,
  hostName: z.string(),
  repositoryId: Id,
  repositoryName: z.string().nullable(), // null: the repository is no longer known here
  kind: JobKind,
  dryRun: z.boolean(), // a preview: nothing is changed
  status: JobStatus,
  provisional: z.boolean(), // only inferred by the server so far
  reason: z.string().nullable(),
  error: z.string().nullable(),
  warningCount: z.number(),
  percentDone: z.number().nullable(), // while running, when known
  bytesProcessed: z.number().nullable(), // of restic's summary
  createdAt: z.date(),
  startedAt: z.date().nullable(),
  finishedAt: z.date().nullable(),
  scheduleId: Id.nullable(),
  scheduleName: z.string().nullable(), // null: none, or no longer known here
  scheduledFor: z.date().nullable(), // its slot; of a range that did not run, the newest
  notRunFrom: z.date().nullable(), // of a range that did not run, the oldest
  slotCount: z.number(),
  decidedBy: z.enum(['server', 'agent']), // agent: the host ran it by itself
  forHostName: z.string().nullable(), // whose schedule it serves, when another host runs it
  retryOf: Id.nullable(),
  attempt: z.number(), // of a retry: which one, from 1
  notBefore: z.date().nullable(),
  waitsFor: z.object({ jobId: Id, kind: JobKind, hostName: z.string() }).nullable(), // the job on the repository that has to end first
})
export type JobBrief = z.infer<typeof JobBrief>

/** A host in the list. */
export const HostRow = z.object({
  id: Id,
  name: z.string(),
  hostname: z.string(),
  state: HostState,
  online: z.boolean(), // linked at this moment, whatever its state
  pause: HostPauseView.nullable(),
  lastSeenAt: z.date().nullable(), // null: never connected
  os: z.string().nullable(),
  arch: z.string().nullable(),
  agentVersion: z.string().nullable(),
  resticVersion: z.string().nullable(),
  tags: z.array(z.string()),
  configVersion: z.number(),
  appliedConfigVersion: z.number(),
  scheduleVersion: z.number(),
  appliedScheduleVersion: z.number(),
  lastJob: JobBrief.nullable(),
  runningJob: JobBrief.nullable(),
  lastGoodBackupAt: z.date().nullable(), // succeeded or incomplete: both are restore points
  objectiveMs: z.number().nullable(), // how old that may be, by its plan; null: no backup is planned
  lateSince: z.date().nullable(), // when it became older than that; null: it is not, or the host is paused
  nextRunAt: z.date().nullable(), // of its schedules, with its spread; null: none comes, or it is paused
  days: z.array(BackupDay), // its backups of the last 14 days (UTC), today last
  repositoryCount: z.number(),
  snapshotCount: z.number(),
})
export type HostRow = z.infer<typeof HostRow>

/** A page of hosts. `counts` are of all hosts, whatever the filter. */
export const HostPage = z.object({
  rows: z.array(HostRow),
  nextCursor: z.string().nullable(),
  total: z.number(), // rows that match the filter
  counts: z.object({
    all: z.number(),
    late: z.number(), // also counted under their state
    online: z.number(),
    offline: z.number(),
    paused: z.number(),
    waiting: z.number(),
    quarantined: z.number(),
  }),
})
export type HostPage = z.infer<typeof HostPage>

/** A repository as the list and the host page show it. Never a secret in it. */
export const RepositoryView = z.object({
  id: Id,
  name: z.string(),
  kind: BackendKind,
  url: z.string(),
  username: z.string().nullable(),
  hasCredential: z.boolean(),
  remoteType: z.string().nullable(), // of the rclone section among its secrets; null: there is none, or it is not known
  environment: BackendEnvironment,
  mayDelete: z.boolean(),
  maintenanceHost: z.object({ id: Id, name: z.string() }).nullable(),
  adminUsername: z.string().nullable(),
  hasAdminCredential: z.boolean(),
  adminRemoteType: z.string().nullable(),
  /** The maintenance host also backs up here: a thief of that host could delete every backup. */
  ransomwareUnsafe: z.boolean(),
  riskAcceptedBy: z.string().nullable(),
  lastPruneAt: z.date().nullable(), // of prunes that succeeded
  lastForgetAt: z.date().nullable(),
  /** Retention is planned and has not succeeded for two of its periods; since when. */
  retentionOverdueSince: z.date().nullable(),
  /** Of a check that reads everything in turns: how many parts of how many are done in this round. */
  checkRotation: z.object({ done: z.number(), of: z.number() }).nullable(),
  /** Running or waiting forget, prune, check and unlock jobs. */
  maintenance: z.array(JobBrief),
  resticId: z.string().nullable(), // null: nobody has opened it yet
  version: z.number(), // send it back with an edit
  hosts: z.array(z.object({ id: Id, name: z.string() })), // that back up there; in a list of repositories only the first three
  hostCount: z.number(), // of all of these
  hiddenHosts: z.number(), // that use or maintain it and are not seen by who asks; above 0: it cannot be changed by them
  lastBackupAt: z.date().nullable(),
  sizeBytes: z.number().nullable(),
  snapshotCount: z.number(),
  dedupRatio: z.number().nullable(),
  statsAt: z.date().nullable(),
  lastCheckAt: z.date().nullable(),
  lastCheckStatus: z.string().nullable(),
  lockState: z.enum(['locked', 'unlocked']).nullable(),
  locks: z.array(RepositoryLock),
  createdAt: z.date(),
})
export type RepositoryView = z.infer<typeof RepositoryView>

/** What opens a repository without this server, for its recovery kit. Asked for each time and kept nowhere. */
export const RepositorySecrets = z.object({
  name: z.string(),
  kind: BackendKind,
  url: z.string(),
  environment: BackendEnvironment,
  password: z.string(),
  username: z.string().nullable(),
  credential: z.string().nullable(),
  adminUsername: z.string().nullable(),
  adminCredential: z.string().nullable(), // null: the everyday one may do everything, or nobody has said
  hosts: z.array(z.string()), // names of those that back up there
  readAt: z.date(),
})
export type RepositorySecrets = z.infer<typeof RepositorySecrets>

/** One host, whole. `suggestedBackup`: what its last backup was told to read. */
export const HostView = HostRow.extend({
  timeZone: z.string().nullable(),
  bootTime: z.date().nullable(),
  enrolledAt: z.date(),
  configAppliedAt: z.date().nullable(),
  scheduleAppliedAt: z.date().nullable(),
  policy: PolicySummary.nullable(),
  /** The newest agent this server knows of, when the host's is older. */
  updateAvailable: z.string().nullable(),
  quarantineReason: z.string().nullable(),
  fingerprint: z.string(), // of its key, as the agent prints it
  keyChangedAt: z.date().nullable(), // null: it still has the key it was enrolled with
  keyChangeWantedAt: z.date().nullable(), // an operator asked for another key, which has not taken over yet
  spool: HostSpool,
  clockSkewMs: z.number(), // how far its clock was ahead of the server's at the last heartbeat
  protectedBytes: z.number().nullable(), // of its newest snapshot in each repository
  protectedFiles: z.number().nullable(),
  oldestSnapshotAt: z.date().nullable(),
  suggestedBackup: z
    .object({ repositoryId: Id, paths: z.array(z.string()), excludes: z.array(z.string()) })
    .nullable(),
  repositories: z.array(RepositoryView),
})
export type HostView = z.infer<typeof HostView>

/** What one host allows, for where it is one of many; null: it has not told yet. */
export const HostPolicyRow = z.object({ hostId: Id, policy: PolicySummary.nullable() })
export type HostPolicyRow = z.infer<typeof HostPolicyRow>

/** Everything about one job. */
export const JobView = JobBrief.extend({
  spec: z.record(z.string(), z.json()),
  requestedBy: z.string().nullable(),
  acceptedAt: z.date().nullable(),
  cancelRequestedAt: z.date().nullable(),
  cancelRequestedBy: z.string().nullable(),
  command: z.string().nullable(), // as run, secrets masked
  resticVersion: z.string().nullable(),
  exitCode: z.number().nullable(),
  signal: z.string().nullable(),
  stats: z.record(z.string(), z.json()).nullable(), // restic's summary verbatim
  warnings: z.array(Warning),
  snapshotId: z.string().nullable(), // the snapshot this job made, once it is reported
  lastLogSeq: z.number().nullable(), // the last number there will be; null while running
  receivedLogSeq: z.number(), // the last number received, −1: none
  logRemovedAfterDays: z.number().nullable(), // its log was kept so long and is gone; null: it was not removed
  progress: Progress.nullable(),
  progressAt: z.date().nullable(),
  hostOnline: z.boolean(),
  hostLastSeenAt: z.date().nullable(),
})
export type JobView = z.infer<typeof JobView>

/** A page of jobs, newest first. */
export const JobPage = z.object({ rows: z.array(JobBrief), nextCursor: z.string().nullable() })
export type JobPage = z.infer<typeof JobPage>

/** What changes while a job runs. When `status` moved, read the job again. */
export const JobLive = z.object({
  status: JobStatus,
  progress: Progress.nullable(),
  progressAt: z.date().nullable(),
  receivedLogSeq: z.number(),
  hostOnline: z.boolean(),
  hostLastSeenAt: z.date().nullable(),
})
export type JobLive = z.infer<typeof JobLive>

/** One entry of a job's log as the page gets it: a line, or a gap. */
export const LogEntryView = z.union([
  z.object({
    seq: z.number(),
    ts: z.number(),
    stream: z.enum(['stdout', 'stderr', 'event']),
    payload: z.string(),
  }),
  z.object({
    seq: z.number(),
    ts: z.number(),
    gap: z.object({ count: z.number(), bytes: z.number(), reason: z.string() }),
  }),
])
export type LogEntryView = z.infer<typeof LogEntryView>

/** A run of log entries. `nextSeq`: where to go on. `atEnd`: nothing further has been received. */
export const LogPage = z.object({ entries: z.array(LogEntryView), nextSeq: z.number(), atEnd: z.boolean() })
export type LogPage = z.infer<typeof LogPage>

/** How far a schedule has reached its host. `rejected`: the host turned it down; `waiting`: it has not acked this version yet. */
export const ScheduleSync = z.enum(['in sync', 'waiting', 'rejected'])
export type ScheduleSync = z.infer<typeof ScheduleSync>

/** A schedule with how it stands. */
export const ScheduleView = z.object({
  id: Id,
  hostId: Id,
  hostName: z.string(),
  version: z.number(), // send it back with an edit
  schedule: ScheduleDraft,
  repositories: z.array(z.object({ id: Id, name: z.string().nullable() })), // in the order they run
  sync: ScheduleSync,
  waitingSince: z.date().nullable(),
  rejected: z.object({ code: z.string(), reason: z.string() }).nullable(),
  nextRunAt: z.date().nullable(), // the next slot plus this host's spread; null: paused or manual
  lastJob: JobBrief.nullable(),
  lastSucceededAt: z.date().nullable(),
  /** It should have succeeded by then and has not, for two of its periods. */
  overdueSince: z.date().nullable(),
  createdAt: z.date(),
  updatedAt: z.date(),
})
export type ScheduleView = z.infer<typeof ScheduleView>

/** The next slots of a timetable. `local` is the wall clock in the zone, with its offset; `shifted` marks the days clocks change. */
export const SchedulePreview = z.object({
  runs: z.array(z.object({ at: z.date(), local: z.string(), shifted: z.boolean() })),
})
export type SchedulePreview = z.infer<typeof SchedulePreview>
