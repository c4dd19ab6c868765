// The Overview: how the fleet stands, what needs hands, what runs, what was and what comes, in one answer.
import { z } from 'zod'
import { AlertCounts, AlertView } from './alerts.ts'
import { Id } from './ids.ts'
import { Progress } from './job.ts'
import { BackendKind } from './repository.ts'
import { BackupDay, Day } from './days.ts'
import { JobBrief } from './views.ts'

/**
 * What the backups of a host come to just now; each host is exactly one of these. Protected: its last good backup is younger than
 * its objective. `incomplete`: so it is, but files were left unread. Not protected, by cause: `failing` (its last backup failed),
 * `silent` (nothing is heard of it), `missed` (it is there, and its slots passed unused), `quarantined`, `never` (no good backup
 * yet, and one was due). The rest is nobody's fault: `paused`, `waiting` for approval, `unplanned` (no backup schedule).
 */
export const Protection = z.enum([
  'protected',
  'incomplete',
  'failing',
  'silent',
  'missed',
  'quarantined',
  'never',
  'paused',
  'waiting',
  'unplanned',
])
export type Protection = z.infer<typeof Protection>

/** The causes for which a host is not protected. */
export const unprotectedBy = [
  'failing',
  'silent',
  'missed',
  'quarantined',
  'never',
] as const satisfies readonly Protection[]

/** How much there is of everything, for the entries of the navigation: hosts that were not removed, jobs that run, open alerts. */
export const EntryCounts = z.object({
  hosts: z.number(),
  running: z.number(),
  repositories: z.number(),
  alerts: AlertCounts,
})
export type EntryCounts = z.infer<typeof EntryCounts>

/**
 * The fleet in numbers, for the sentence and the bar. `total` is the sum of all in `counts`. `since`: for a cause that hosts have,
 * when it began for the first of them; `only`: the host, where it is a single one. `withinObjective`: hosts whose objective is met,
 * of `planned` that have one.
 */
export const FleetStanding = z.object({
  total: z.number(),
  counts: z.record(Protection, z.number()),
  causes: z.array(
    z.object({
      cause: z.enum(unprotectedBy),
      count: z.number(),
      since: z.date().nullable(),
      only: z.object({ id: Id, name: z.string() }).nullable(),
    }),
  ),
  planned: z.number(),
  withinObjective: z.number(),
  /** Repositories whose retention fails, is overdue, or is blocked by a lock that nobody holds any more. */
  retentionTroubled: z.number(),
})
export type FleetStanding = z.infer<typeof FleetStanding>

/** How large a repository was on a day. Bytes. */
export const SizeOfDay = z.object({ day: Day, sizeBytes: z.number() })
export type SizeOfDay = z.infer<typeof SizeOfDay>

/** One hour of what is planned: slots that come due in it, each repository of a slot counted. */
export const LoadHour = z.object({ from: z.date(), backups: z.number(), maintenance: z.number() })
export type LoadHour = z.infer<typeof LoadHour>

/** A job that runs, with its live numbers. */
export const RunningJob = JobBrief.extend({ progress: Progress.nullable(), progressAt: z.date().nullable() })
export type RunningJob = z.infer<typeof RunningJob>

/**
 * How a repository's size went. Sizes are bytes. `change30d`: null where there is no figure 30 days old or older to compare with; a
 * younger repository counts from its first figure. `trend`: at most 30 points, oldest first, days without a figure left out.
 */
export const RepositoryGrowth = z.object({
  id: Id,
  name: z.string(),
  kind: BackendKind,
  sizeBytes: z.number().nullable(), // null: nobody has measured it yet
  change30d: z.number().nullable(),
  trend: z.array(SizeOfDay),
  dedupRatio: z.number().nullable(),
  statsAt: z.date().nullable(),
  storageFull: z.boolean(), // the last backup into it failed for want of room
})
export type RepositoryGrowth = z.infer<typeof RepositoryGrowth>

/** `points`: oldest first, days without a figure left out. `change30d`: bytes, as in `RepositoryGrowth`. */
export const RepositorySizes = z.object({ points: z.array(SizeOfDay), change30d: z.number().nullable() })
export type RepositorySizes = z.infer<typeof RepositorySizes>

/**
 * All of the page in one answer, of what the caller may see. Lists are cut and say how many there are. `at`: the server's time it
 * belongs to. Safe to repeat; reads only.
 */
export const Overview = z.object({
  at: z.date(),
  fleet: FleetStanding,
  /** At most 10, the worst first; what somebody acknowledged is only counted. */
  attention: z.object({
    rows: z.array(AlertView),
    total: z.number(), // red and amber
    counts: AlertCounts,
    /** What was cleared last, in the last 24 hours. */
    lastCleared: AlertView.nullable(),
  }),
  /** At most 6, the oldest first. */
  running: z.object({ rows: z.array(RunningJob), total: z.number() }),
  /** At most 8: forget, prune, check and unlock that run or wait, in the order they lined up. `waitsFor` says for what. */
  maintenance: z.object({ rows: z.array(JobBrief), total: z.number() }),
  /** 30 days, today last. */
  days: z.array(BackupDay),
  /** 24 hours from the full hour that has begun. */
  load: z.object({ hours: z.array(LoadHour), total: z.number() }),
  storage: z.object({
    repositoryCount: z.number(),
    sizeBytes: z.number(), // the sum of what was measured
    change30d: z.number(),
    /** At most 90 days, oldest first: the sum over repositories, each at its last known size. */
    trend: z.array(SizeOfDay),
    /** At most 10, the largest first. */
    rows: z.array(RepositoryGrowth),
  }),
})
export type Overview = z.infer<typeof Overview>
