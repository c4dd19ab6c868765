// What operators send: the inputs of the operator procedures, shared so that forms check with the server's own rules.
import { z } from 'zod'
import { jobSpecs } from './command.ts'
import { Id } from './ids.ts'
import { JobKind, JobStatus } from './job.ts'
import { backendOf, backends } from './backends.ts'
import { BackendEnvironment, complaintAboutCredential, RepositoryUrl } from './repository.ts'
import { ScheduleDraft, ScheduleKind } from './schedule.ts'
import { Retention } from './retention.ts'
import { Name, text } from './scalars.ts'
import { HostState } from './views.ts'

/** A place in a list, opaque: send back what `nextCursor` said. */
const Cursor = text(500)
const Limit = z.int().min(1).max(200).default(100)
/** Made by the client for each act that starts something; a repeat with the same id starts nothing new. */
const RequestId = Id
export const Tag = text(60).regex(/^[\p{L}\p{N}._:/-]+$/u, 'may hold letters, digits and . _ : / -')
const Tags = z.array(Tag).max(50)

/** Which hosts: all that match each field that is there. Of several tags a host has to have every one. */
export const HostFilter = {
  search: text(200).optional(),
  /** `late`: the last good backup is older than the objective, whatever the state of the host. */
  state: z.enum([...HostState.options, 'late']).optional(),
  tags: Tags.optional(),
}
export const HostListRequest = z.object({
  cursor: Cursor.optional(),
  limit: Limit,
  ...HostFilter,
  sort: z.enum(['name', 'lastGoodBackup']).default('name'),
})
export const HostRequest = z.object({ hostId: Id })
/** Hosts that a page offers for something. */
export const HostPoliciesRequest = z.object({ hostIds: z.array(Id).max(200) })
export const HostUpdateRequest = z.object({ hostId: Id, name: Name.optional(), tags: Tags.optional() })
/** Holds the schedules of a host back: until it is resumed, or until `until`. */
export const pauseFields = { reason: text(300).min(1).optional(), until: z.date().optional() }
export const HostPauseRequest = z.object({ hostId: Id, ...pauseFields })
/** Removal asks for the host's name, so that a slip of the hand removes nothing. */
export const HostRemoveRequest = z.object({ hostId: Id, confirmName: Name })

export const EnrolmentCreateRequest = z.object({
  requestId: RequestId,
  lifeMinutes: z
    .int()
    .min(5)
    .max(7 * 24 * 60)
    .default(60),
  maxUses: z.int().min(1).max(1_000).default(1),
  tags: Tags.default([]),
  needsApproval: z.boolean().default(false),
})
export const EnrolmentRequest = z.object({ enrolmentId: Id })

const repositoryFields = {
  name: Name,
  url: RepositoryUrl,
  username: text(200).min(1).optional(),
  credential: text(20_000).min(1).optional(),
  environment: BackendEnvironment.optional(),
  /** Whether the everyday credential may delete. Append-only storage: false. */
  mayDelete: z.boolean().default(true),
  /** Runs forget, prune and check with the admin credential. Null: none. Absent: none, or as it is in an edit. */
  maintenanceHostId: Id.nullish(),
  adminUsername: text(200).min(1).optional(),
  /** Absent: the everyday secret is used, or stays as it is in an edit. */
  adminCredential: text(20_000).min(1).optional(),
  /** Needed when the maintenance host also backs up here: that host could then delete every backup. */
  acceptsRisk: z.boolean().optional(),
  hostIds: z.array(Id).max(10_000),
}

type BackendFields = {
  url: string
  username?: string | undefined
  credential?: string | undefined
  adminUsername?: string | undefined
  adminCredential?: string | undefined
  environment?: Record<string, string> | undefined
}
type BackendComplaint = { field: Exclude<keyof BackendFields, 'url'>; message: string }

/** What does not fit the address's backend, as sentences by field. */
export function complaintsAboutBackend(repository: BackendFields): BackendComplaint[] {
  const kind = backendOf(repository.url)
  if (kind === undefined) return []
  const takes = backends[kind]
  const allowed: readonly string[] = takes.environment
  const complaints: BackendComplaint[] = []
  for (const field of ['username', 'adminUsername'] as const)
    if (repository[field] !== undefined && !takes.username)
      complaints.push({ field, message: `A ${kind} repository takes no user name.` })
  for (const field of ['credential', 'adminCredential'] as const) {
    const secret = repository[field]
    if (secret === undefined) continue
    const complaint = takes.credential
      ? complaintAboutCredential(kind, secret)
      : `A ${kind} repository takes no secret.`
    if (complaint !== undefined) complaints.push({ field, message: complaint })
  }
  const environment = repository.environment ?? {}
  const stray = Object.keys(environment).find(name => !allowed.includes(name))
  if (stray !== undefined)
    complaints.push({
      field: 'environment',
      message: `${stray} may not be set for a ${kind} repository. Accepted: ${allowed.join(', ') || 'none'}.`,
    })
  const authorities = environment['RESTIC_CACERT']
  if (stray === undefined && authorities !== undefined && backendOf(authorities) !== 'local')
    complaints.push({
      field: 'environment',
      message: 'The file of certificate authorities must be an absolute path on the hosts.',
    })
  return complaints
}

const checkBackend = (repository: BackendFields, ctx: z.RefinementCtx) => {
  for (const { field, message } of complaintsAboutBackend(repository))
    ctx.addIssue({ code: 'custom', path: [field], message })
}

/** `password` absent: one is minted and given back once, for the recovery kit. */
export const RepositoryCreateRequest = z
  .object({ requestId: RequestId, ...repositoryFields, password: text(2_000).min(1).optional() })
  .superRefine(checkBackend)
/** A secret left out stays as it is. `version` is the one that was edited. */
export const RepositoryUpdateRequest = z
  .object({
    repositoryId: Id,
    version: z.int().min(0),
    ...repositoryFields,
    password: text(2_000).min(1).optional(),
  })
  .superRefine(checkBackend)
export const RepositoryRequest = z.object({ repositoryId: Id })
/** `days`: how far back, today included. */
export const RepositorySizesRequest = z.object({
  repositoryId: Id,
  days: z.int().min(1).max(400).default(90),
})
/** Forgets the repository here; its data stays where it is. Asks for its name. */
export const RepositoryRemoveRequest = z.object({ repositoryId: Id, confirmName: Name })
export const RepositoryTestRequest = z.object({ requestId: RequestId, repositoryId: Id, hostId: Id })

const jobOn = { requestId: RequestId, hostId: Id, repositoryId: Id }
export const JobRunRequest = z.discriminatedUnion('kind', [
  z.object({ ...jobOn, kind: z.literal('init'), spec: jobSpecs.init }),
  z.object({ ...jobOn, kind: z.literal('probe'), spec: jobSpecs.probe }),
  z.object({ ...jobOn, kind: z.literal('backup'), spec: jobSpecs.backup }),
  z.object({ ...jobOn, kind: z.literal('forget'), spec: jobSpecs.forget }),
  z.object({ ...jobOn, kind: z.literal('prune'), spec: jobSpecs.prune }),
  z.object({ ...jobOn, kind: z.literal('check'), spec: jobSpecs.check }),
  z.object({ ...jobOn, kind: z.literal('unlock'), spec: jobSpecs.unlock }),
])
export type JobRunRequest = z.infer<typeof JobRunRequest>
export const JobRequest = z.object({ jobId: Id })
/** Runs an ended job again, as a new one with `retryOf`. */
export const JobRetryRequest = z.object({ requestId: RequestId, jobId: Id })
export const JobListRequest = z.object({
  cursor: Cursor.optional(),
  limit: Limit,
  hostId: Id.optional(),
  repositoryId: Id.optional(),
  scheduleId: Id.optional(),
  kinds: z.array(JobKind).max(JobKind.options.length).optional(),
  statuses: z.array(JobStatus).max(JobStatus.options.length).optional(),
  /** By when jobs were made, which for a slot that did not run is its time: from this instant on, and before that one. */
  from: z.date().optional(),
  until: z.date().optional(),
})
export const JobLogRequest = z.object({
  jobId: Id,
  fromSeq: z.int().min(0).default(0),
  limit: z.int().min(1).max(5_000).default(2_000),
})
/** `lastEventId` is filled in by the client when it takes up a broken subscription. */
export const JobTailRequest = z.object({
  jobId: Id,
  fromSeq: z.int().min(0).default(0),
  lastEventId: text(20).nullish(),
})

/** `search` looks at ids, host names and paths. */
export const SnapshotListRequest = z.object({
  cursor: Cursor.optional(),
  limit: Limit,
  hostId: Id.optional(),
  repositoryId: Id.optional(),
  tag: text(200).min(1).optional(),
  search: text(200).optional(),
})
export const SnapshotRequest = z.object({ repositoryId: Id, snapshotId: z.string().regex(/^[0-9a-f]{64}$/) })

export const ScheduleListRequest = z.object({
  hostId: Id.optional(),
  repositoryId: Id.optional(),
  kind: ScheduleKind.optional(),
})
export const ScheduleRequest = z.object({ scheduleId: Id })
export const ScheduleCreateRequest = z.object({ requestId: RequestId, hostId: Id, schedule: ScheduleDraft })
/** `version` is the one that was edited: a stale edit is refused with both. */
export const ScheduleUpdateRequest = z.object({
  scheduleId: Id,
  version: z.int().min(1),
  schedule: ScheduleDraft,
})
/** Pauses or resumes without an edit of the rest. */
export const ScheduleEnableRequest = z.object({
  scheduleId: Id,
  version: z.int().min(1),
  enabled: z.boolean(),
})
export const ScheduleRemoveRequest = z.object({ scheduleId: Id, version: z.int().min(1) })
/** Runs a schedule now, once, besides its slots: one job for each repository. */
export const ScheduleRunNowRequest = z.object({ requestId: RequestId, scheduleId: Id })
/** The next slots of a timetable that may not be saved yet. With a host and schedule, the spread is shown too. */
export const SchedulePreviewRequest = z.object({
  cron: text(200),
  timeZone: text(100),
  count: z.int().min(1).max(50).default(5),
})
/** What a retention would let go of: a dry run on the host, or on the maintenance host. The answer names the job. */
export const RetentionPreviewRequest = z.object({
  requestId: RequestId,
  hostId: Id,
  repositoryId: Id,
  retention: Retention,
  scheduleIds: z.array(Id).min(1).max(100),
})
