// Orders that run or cancel a job, and the agent's answer to them.
import { z } from 'zod'
import { Fact } from './fact.ts'
import { Id } from './ids.ts'
import { JobHeader, type JobKind } from './job.ts'
import { Instant, Path, Sentence, text, Version } from './scalars.ts'

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

/** What a backup reads and leaves out. Typed options only, never free restic flags. */
export const BackupSpec = z.strictObject({
  paths: z.array(SourcePath).min(1).max(1_000),
  excludes: z.array(text(4_096).min(1)).max(1_000).optional(),
  tags: z.array(SnapshotTag).max(50).optional(),
})
export type BackupSpec = z.infer<typeof BackupSpec>

/** What each kind of job needs to know. Strict: an unknown key means this agent cannot know what it would do. */
export const jobSpecs = {
  init: z.strictObject({}),
  probe: z.strictObject({}),
  backup: BackupSpec,
  unlock: z.strictObject({}),
} as const satisfies Record<JobKind, z.ZodType>
export type JobSpec<K extends JobKind = JobKind> = z.infer<(typeof jobSpecs)[K]>

const runFields = {
  jobId: Id,
  repositoryId: Id,
  configVersion: Version,
  scheduleId: Id.optional(),
  scheduledAt: Instant.optional(),
  retryOf: Id.optional(),
}

/** `command.run`: run this now. Needs at least `configVersion` applied. Sent again after a reconnect until it is answered. */
export const CommandRun = z.discriminatedUnion('kind', [
  z.object({ ...runFields, kind: z.literal('init'), spec: jobSpecs.init }),
  z.object({ ...runFields, kind: z.literal('probe'), spec: jobSpecs.probe }),
  z.object({ ...runFields, kind: z.literal('backup'), spec: jobSpecs.backup }),
  z.object({ ...runFields, kind: z.literal('unlock'), spec: jobSpecs.unlock }),
])
export type CommandRun = z.infer<typeof CommandRun>

/** What an agent can still answer when it does not understand the rest of a `command.run`: whose job it was. */
export const CommandRunHeader = z.object({ ...runFields, kind: text(60).min(1), spec: z.unknown() })
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
