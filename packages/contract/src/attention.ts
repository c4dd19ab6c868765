// What needs a person: how loud each kind is, which check found it, and the one act that clears it.
import { z } from 'zod'
import { alertKinds, checks, severities } from './alert-kinds.ts'
import { Id } from './ids.ts'

export const Severity = z.enum(severities)
export type Severity = z.infer<typeof Severity>

export const Check = z.enum(checks)
export type Check = z.infer<typeof Check>

export const AlertKind = z.enum(
  Object.keys(alertKinds) as [keyof typeof alertKinds, ...(keyof typeof alertKinds)[]],
)
export type AlertKind = z.infer<typeof AlertKind>

/**
 * The one act that clears an alert, with the ids it takes:
 * `retry` is `jobs.retry` · `run_now` is `schedules.runNow` · `prune_now`, `check_now` and `remove_lock` are `jobs.run` with that kind
 * (`unlock` for the lock) on `hostId`, the repository's maintenance host where it has one · `release` is `hosts.release`, `approve` is
 * `enrolments.approve` · `edit_schedule`, `review_files` and `reconnect` open a page · `acknowledge` is `alerts.acknowledge`.
 */
export const ClearAction = z.discriminatedUnion('do', [
  z.object({ do: z.literal('retry'), jobId: Id }),
  z.object({ do: z.literal('run_now'), scheduleId: Id }),
  z.object({ do: z.literal('prune_now'), repositoryId: Id, hostId: Id }),
  z.object({ do: z.literal('check_now'), repositoryId: Id, hostId: Id }),
  z.object({ do: z.literal('remove_lock'), repositoryId: Id, hostId: Id }),
  z.object({ do: z.literal('release'), hostId: Id }),
  z.object({ do: z.literal('approve'), hostId: Id }),
  z.object({ do: z.literal('edit_schedule'), scheduleId: Id }),
  z.object({ do: z.literal('review_files'), jobId: Id }),
  z.object({ do: z.literal('reconnect'), hostId: Id }),
  z.object({ do: z.literal('acknowledge') }),
])
export type ClearAction = z.infer<typeof ClearAction>
