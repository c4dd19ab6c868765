// Orders that run or cancel a job, and the agent's answer to them.
import { z } from 'zod'
import { Fact } from './fact.ts'
import { Id } from './ids.ts'
import { JobHeader, type JobKind } from './job.ts'
import { BackendEnvironment, RepositoryUrl } from './repository.ts'
import { Retention } from './retention.ts'
import { Count, Instant, Path, Sentence, text, Version } from './scalars.ts'

/** A source path: absolute, and never something restic could take for a flag. */
export const SourcePath = Path.refine(
  path => /^(\/|[A-Za-z]:[\\/])/.test(path),
  'must be an absolute path, such as /home or C:\\Users',
)

/** An extra tag of a snapshot. restic splits tags at commas, and `rm-` names are ours. */
export const SnapshotTag = text(100)
  .min(1)
  .refine(tag => !tag.includes(','), 'must not contain a comma')
  .refine(tag => !tag.startsWith('rm-'), 'must not begin with rm-, which restic-manager uses itself')

/** A job that takes longer is interrupted and ends as failed with `timeout`. */
const timeoutMinutes = z.int().min(1).max(43_200).optional()
const kibps = z.int().min(1).max(100_000_000)

/**
 * A program the host runs before or after a backup, as far as its own policy file allows. `name`: an executable of the host's
 * folder of hooks. `script`: text for the host's shell. Exactly one of the two.
 */
export const Hook = z
  .strictObject({
    name: text(100)
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'is the name of a file in the folder of hooks')
      .optional(),
    script: text(20_000).min(1).optional(),
    /** Stopped after this long, and counts as failed. */
    timeoutMinutes: z.int().min(1).max(1_440).optional(),
    /** What a failing hook does to a backup that has not begun. Of a hook that runs after it there is always only a warning. */
    onFailure: z.enum(['stop', 'continue']).optional(),
  })
  .refine(
    hook => (hook.name === undefined) !== (hook.script === undefined),
    'needs either a name or a script',
  )
export type Hook = z.infer<typeof Hook>

/** Whether what is asked for brings a program with it, to be run as text by the host's shell. */
export const hasInlineHook = (
  work: { preHook?: Hook | undefined; postHook?: Hook | undefined } | object,
): boolean =>
  ('preHook' in work && work.preHook?.script !== undefined) ||
  ('postHook' in work && work.postHook?.script !== undefined)

/** How a backup works. Bandwidth in KiB per second, sizes in bytes. What the host's restic is too old for is left out, with a warning. */
export const backupOptions = {
  iexcludes: z.array(text(4_096).min(1)).max(1_000).optional(),
  /** Names of files that keep a folder out, such as `.nobackup`, optionally with `:` and how the file begins. */
  excludeIfPresent: z.array(text(400).min(1)).max(100).optional(),
  oneFileSystem: z.boolean().optional(),
  excludeLargerThan: Count.min(1).optional(),
  compression: z.enum(['auto', 'off', 'max']).optional(),
  uploadKibps: kibps.optional(),
  downloadKibps: kibps.optional(),
  readConcurrency: z.int().min(1).max(64).optional(),
  nice: z.int().min(0).max(19).optional(),
  ionice: z.enum(['best-effort', 'idle']).optional(),
}

/** How a prune works. Without `maxUnused*` restic's own 5 %. Sizes in bytes. */
export const pruneOptions = {
  maxUnusedPercent: z.number().min(0).max(100).optional(),
  maxUnusedBytes: Count.optional(),
  maxRepackBytes: Count.min(1).optional(),
}

/** What a backup reads and leaves out, and how. Typed options only, never free restic flags. */
export const BackupSpec = z.strictObject({
  paths: z.array(SourcePath).min(1).max(1_000),
  excludes: z.array(text(4_096).min(1)).max(1_000).optional(),
  tags: z.array(SnapshotTag).max(50).optional(),
  options: z.strictObject(backupOptions).optional(),
  preHook: Hook.optional(),
  postHook: Hook.optional(),
  timeoutMinutes,
})
export type BackupSpec = z.infer<typeof BackupSpec>

/** Whose snapshots a `forget` thins: those that carry both tags, and no others. */
export const ForgetTarget = z.strictObject({ hostId: Id, scheduleId: Id })
export type ForgetTarget = z.infer<typeof ForgetTarget>

/** Which snapshots are let go of. `dryRun` changes nothing: its result is a `ForgetPreview` in the job's stats. */
export const ForgetSpec = z.strictObject({
  retention: Retention,
  dryRun: z.boolean(),
  targets: z.array(ForgetTarget).min(1).max(1_000),
  timeoutMinutes,
})
export type ForgetSpec = z.infer<typeof ForgetSpec>

/** Frees the space of what no snapshot needs any more. */
export const PruneSpec = z.strictObject({ ...pruneOptions, timeoutMinutes })
export type PruneSpec = z.infer<typeof PruneSpec>

/** How much of the data a check reads back: nothing, a random share, or one part of a rotation that reads everything in `of` runs. */
export const CheckSpec = z.strictObject({
  readPercent: z.number().min(0.1).max(100).optional(),
  readPart: z
    .strictObject({ part: z.int().min(1), of: z.int().min(2).max(256) })
    .refine(({ part, of }) => part <= of, 'part is more than of')
    .optional(),
  timeoutMinutes,
})
export type CheckSpec = z.infer<typeof CheckSpec>

/** What each kind of job needs to know. Strict: an unknown key means this agent cannot know what it would do. */
export const jobSpecs = {
  init: z.strictObject({}),
  probe: z.strictObject({}),
  backup: BackupSpec,
  forget: ForgetSpec,
  prune: PruneSpec,
  check: CheckSpec,
  unlock: z.strictObject({}),
} as const satisfies Record<JobKind, z.ZodType>
export type JobSpec<K extends JobKind = JobKind> = z.infer<(typeof jobSpecs)[K]>

/** Access with the right to delete, for one run. Kept in memory only, never written to the host's disk. */
export const ElevatedAccess = z.object({
  url: RepositoryUrl,
  password: text(2_000).min(1),
  username: text(200).optional(),
  credential: text(20_000).optional(),
  environment: BackendEnvironment.optional(),
})
export type ElevatedAccess = z.infer<typeof ElevatedAccess>

const runFields = {
  jobId: Id,
  repositoryId: Id,
  configVersion: Version,
  scheduleId: Id.optional(),
  scheduledAt: Instant.optional(),
  retryOf: Id.optional(),
  elevatedAccess: ElevatedAccess.optional(),
}

/** `command.run`: run this now. Needs at least `configVersion` applied. Sent again after a reconnect until it is answered. */
export const CommandRun = z.discriminatedUnion('kind', [
  z.object({ ...runFields, kind: z.literal('init'), spec: jobSpecs.init }),
  z.object({ ...runFields, kind: z.literal('probe'), spec: jobSpecs.probe }),
  z.object({ ...runFields, kind: z.literal('backup'), spec: jobSpecs.backup }),
  z.object({ ...runFields, kind: z.literal('forget'), spec: jobSpecs.forget }),
  z.object({ ...runFields, kind: z.literal('prune'), spec: jobSpecs.prune }),
  z.object({ ...runFields, kind: z.literal('check'), spec: jobSpecs.check }),
  z.object({ ...runFields, kind: z.literal('unlock'), spec: jobSpecs.unlock }),
])
export type CommandRun = z.infer<typeof CommandRun>

/** What an agent can still answer when it does not understand the rest of a `command.run`: whose job it was. */
export const CommandRunHeader = z.object({
  ...runFields,
  kind: text(60).min(1),
  spec: z.unknown(),
  elevatedAccess: z.unknown().optional(),
})
export type CommandRunHeader = z.infer<typeof CommandRunHeader>

/** `command.cancel`: stop it, or never start it. Repeated after every hello until the job has ended. */
export const CommandCancel = z.object({
  ...JobHeader.partial().shape, // lets an agent that never saw the job report its end
  jobId: Id,
  kind: text(60).min(1).optional(),
})
export type CommandCancel = z.infer<typeof CommandCancel>

/** `command.result`: the agent has accepted the job and persisted it, or says why not. Not completion. Safe to deliver twice. */
export const CommandResult = z.object({
  ...Fact.shape,
  ...JobHeader.shape,
  kind: text(60).min(1), // also of a kind this agent refuses because it does not know it
  accepted: z.boolean(),
  reason: text(60).optional(),
  error: Sentence.optional(),
})
export type CommandResult = z.infer<typeof CommandResult>

/** The server's answer to `command.result`. `proceed: false`: cancelled or expired meanwhile, end it as cancelled. */
export const CommandAnswer = z.object({ seq: z.int().min(1), proceed: z.boolean() })
export type CommandAnswer = z.infer<typeof CommandAnswer>
