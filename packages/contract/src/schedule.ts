// Schedules: what to run on a host, where and when; how a set reaches its agent; what comes back when slots come due.
import { z } from 'zod'
import {
  BackupSpec,
  backupOptions,
  type CheckSpec,
  type ForgetSpec,
  Hook,
  pruneOptions,
  type PruneSpec,
  SourcePath,
} from './command.ts'
import { Fact } from './fact.ts'
import { Id } from './ids.ts'
import { Retention } from './retention.ts'
import { Instant, Name, Sentence, text, Version } from './scalars.ts'

/** The kinds of job that can be planned. */
export const ScheduleKind = z.enum(['backup', 'forget', 'prune', 'check'])
export type ScheduleKind = z.infer<typeof ScheduleKind>

/** How each kind works. Which options a kind takes is in `optionsOf`. */
export const ScheduleOptions = z.strictObject({
  ...backupOptions,
  ...pruneOptions,
  /** check: a random share of the data each time. */
  readPercent: z.number().min(0.1).max(100).optional(),
  /** check: everything in this many runs, one part each. */
  readRotation: z.int().min(2).max(256).optional(),
})
export type ScheduleOptions = z.infer<typeof ScheduleOptions>

/** The options each kind takes. */
export const optionsOf: Record<ScheduleKind, readonly (keyof ScheduleOptions)[]> = {
  backup: Object.keys(backupOptions) as (keyof typeof backupOptions)[],
  forget: [],
  prune: Object.keys(pruneOptions) as (keyof typeof pruneOptions)[],
  check: ['readPercent', 'readRotation'],
}

/** How often a failed job is tried again, as new jobs, and how long after its end. */
export const RetryRule = z.object({ count: z.int().min(1).max(10), delaySeconds: z.int().min(0).max(86_400) })
export type RetryRule = z.infer<typeof RetryRule>

const scheduleFields = {
  name: Name,
  kind: ScheduleKind,
  /** One job each, one after another; a failing one does not stop the next. */
  repositoryIds: z.array(Id).max(50),
  /** Five fields. Absent for a manual schedule. */
  cron: text(200).optional(),
  timeZone: text(100),
  paths: z.array(SourcePath).max(1_000).optional(), // none at all is a complaint with its own code
  excludes: BackupSpec.shape.excludes,
  tags: BackupSpec.shape.tags,
  retention: Retention.optional(),
  options: ScheduleOptions.optional(),
  preHook: Hook.optional(),
  postHook: Hook.optional(),
  enabled: z.boolean(),
  /** Fires only when an operator presses Run now. */
  manual: z.boolean(),
  /** What becomes of slots the host slept through: `once` runs the newest of them. */
  catchUp: z.enum(['none', 'once']),
  /** What becomes of a slot that comes while the one before still runs. */
  overlap: z.enum(['skip', 'queue']),
  /** The host fires up to this long after the slot, always by the same amount. */
  jitterSeconds: z.int().min(0).max(86_400),
  retry: RetryRule.optional(),
  timeoutMinutes: z.int().min(1).max(43_200).optional(),
  /** forget: the backup schedules of the same host whose snapshots it thins. */
  forgets: z.array(Id).max(100).optional(),
}

/** What an operator decides of a schedule. */
export const ScheduleDraft = z.object(scheduleFields)
export type ScheduleDraft = z.infer<typeof ScheduleDraft>

/** A schedule as its host gets it. */
export const Schedule = z.object({ id: Id, ...scheduleFields })
export type Schedule = z.infer<typeof Schedule>

/** What a slot's job is told to do: the same on both ends. A check that reads in turns needs the part that is next. */
export function specOfSchedule(
  schedule: Schedule,
  { hostId, part = 1 }: { hostId: Id; part?: number },
): BackupSpec | ForgetSpec | PruneSpec | CheckSpec {
  const { options = {}, timeoutMinutes } = schedule
  const limit = timeoutMinutes === undefined ? {} : { timeoutMinutes }
  switch (schedule.kind) {
    case 'backup': {
      const { paths = [], excludes, tags, preHook, postHook } = schedule
      return {
        paths,
        ...(excludes === undefined ? {} : { excludes }),
        ...(tags === undefined ? {} : { tags }),
        ...(Object.keys(options).length === 0 ? {} : { options }),
        ...(preHook === undefined ? {} : { preHook }),
        ...(postHook === undefined ? {} : { postHook }),
        ...limit,
      }
    }
    case 'forget':
      return {
        retention: schedule.retention ?? {},
        dryRun: false,
        targets: (schedule.forgets ?? []).map(scheduleId => ({ hostId, scheduleId })),
        ...limit,
      }
    case 'prune':
      return { ...options, ...limit }
    case 'check': {
      const { readPercent, readRotation } = options
      return {
        ...(readPercent === undefined ? {} : { readPercent }),
        ...(readRotation === undefined
          ? {}
          : { readPart: { part: Math.min(part, readRotation), of: readRotation } }),
        ...limit,
      }
    }
  }
}

/**
 * The whole host is paused: slots before `until`, or all of them, do not fire and are told as skipped. Those before `from` that were
 * too late already when it began stay missed. What an operator runs by hand runs.
 */
export const HostPause = z.object({ from: Instant, until: Instant.optional() })
export type HostPause = z.infer<typeof HostPause>

/** Whether a slot falls to a pause. `slot` in Unix milliseconds. */
export const isPaused = (pause: HostPause | undefined, slot: number): boolean =>
  pause !== undefined && (pause.until === undefined || slot < Date.parse(pause.until))

/**
 * `schedule.set`: the full list for the host, every time. Latest received wins. Each entry is parsed by itself: one this agent
 * does not understand is rejected by its id, the others are taken. To be applied once `configVersion` is.
 */
export const ScheduleSet = z.object({
  version: Version,
  configVersion: Version,
  schedules: z.array(z.looseObject({ id: Id })).max(1_000),
  /** An agent too old for it asks the server at each slot, and is told there. */
  pause: HostPause.optional(),
})
export type ScheduleSet = z.infer<typeof ScheduleSet>

/** `schedule.ack`: this version is on disk and its timers run, but for what was rejected. Safe to deliver twice. */
export const ScheduleAck = z.object({
  version: Version,
  appliedAt: Instant,
  rejected: z
    .array(z.object({ scheduleId: Id, code: text(60), reason: Sentence }))
    .max(1_000)
    .optional(),
})
export type ScheduleAck = z.infer<typeof ScheduleAck>

/** A job of a fired slot, by its derived id. */
export const SlotJob = z.object({ jobId: Id, repositoryId: Id })
export type SlotJob = z.infer<typeof SlotJob>

/**
 * `schedule.fire`: a slot came due. `server`: the server decides and orders. `agent`: the host runs `jobs` by itself, the server
 * records and never orders. Facts of the first lane; safe to deliver twice: the answer is the same.
 */
export const ScheduleFire = z.object({
  ...Fact.shape,
  scheduleId: Id,
  scheduleVersion: Version,
  scheduledAt: Instant,
  decidedBy: z.enum(['agent', 'server']),
  jobs: z.array(SlotJob).max(50).optional(),
})
export type ScheduleFire = z.infer<typeof ScheduleFire>

/** What becomes of a fired slot on one repository. `queued` and `duplicate`: its order comes, or came. `delegated`: the maintenance host runs it. */
export const FireDecision = z.enum(['queued', 'duplicate', 'skipped', 'delegated'])
export type FireDecision = z.infer<typeof FireDecision>

/** The server's answer to a fire. A repository that is not listed has nothing to do. */
export const ScheduleFireAnswer = z.object({
  seq: z.int().min(1),
  jobs: z.array(z.object({ ...SlotJob.shape, decision: FireDecision, reason: text(60).optional() })).max(50),
})
export type ScheduleFireAnswer = z.infer<typeof ScheduleFireAnswer>

/** `schedule.notRun`: slots that did not run, as a range that spans none that did. `from` and `to` are slots, both included. */
export const ScheduleNotRun = z.object({
  ...Fact.shape,
  scheduleId: Id,
  scheduleVersion: Version,
  repositoryIds: z.array(Id).min(1).max(50),
  outcome: z.enum(['missed', 'skipped']),
  from: Instant,
  to: Instant,
  count: z.int().min(1).max(10_000_000),
  reason: text(60),
})
export type ScheduleNotRun = z.infer<typeof ScheduleNotRun>
