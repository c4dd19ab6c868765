// What needs a person: how loud each kind is, which check found it, and the one act that clears it.
import { z } from 'zod'
import { Id } from './ids.ts'

/** `red`: data is not protected, or somebody may be inside. `amber`: it is, but something about it has to be looked at. */
export const Severity = z.enum(['red', 'amber'])
export type Severity = z.infer<typeof Severity>

/** What found it, in a word that a row can show. */
export const Check = z.enum([
  'backup',
  'retention',
  'prune',
  'check',
  'objective',
  'presence',
  'slots',
  'plan',
  'lock',
  'identity',
  'enrolment',
])
export type Check = z.infer<typeof Check>

/**
 * Each kind of alert. A `state` ends by what is done about it, and comes back as a new alert when it happens again. An `event`
 * is over once somebody has seen it: acknowledging clears it. `word`: what stands first in its row.
 */
export const alertKinds = {
  backup_failed: { ends: 'state', severity: 'red', check: 'backup', word: 'Failed' },
  backup_lost: { ends: 'state', severity: 'red', check: 'backup', word: 'Lost' },
  backup_incomplete: { ends: 'state', severity: 'amber', check: 'backup', word: 'Incomplete' },
  retention_failed: { ends: 'state', severity: 'red', check: 'retention', word: 'Failed' },
  retention_overdue: { ends: 'state', severity: 'amber', check: 'retention', word: 'Overdue' },
  prune_failed: { ends: 'state', severity: 'red', check: 'prune', word: 'Failed' },
  check_failed: { ends: 'state', severity: 'red', check: 'check', word: 'Failed' },
  check_overdue: { ends: 'state', severity: 'amber', check: 'check', word: 'Overdue' },
  repository_locked: { ends: 'state', severity: 'red', check: 'lock', word: 'Blocked' },
  host_late: { ends: 'state', severity: 'red', check: 'objective', word: 'Late' },
  host_silent: { ends: 'state', severity: 'red', check: 'presence', word: 'Silent' },
  slots_missed: { ends: 'state', severity: 'amber', check: 'slots', word: 'Missed' },
  schedule_rejected: { ends: 'state', severity: 'red', check: 'plan', word: 'Rejected' },
  schedule_drift: { ends: 'state', severity: 'amber', check: 'plan', word: 'Drift' },
  host_cloned: { ends: 'state', severity: 'red', check: 'identity', word: 'Quarantined' },
  host_waiting: { ends: 'state', severity: 'amber', check: 'enrolment', word: 'Waiting' },
  token_reused: { ends: 'event', severity: 'red', check: 'enrolment', word: 'Reused' },
  copy_turned_away: { ends: 'event', severity: 'red', check: 'identity', word: 'Turned away' },
  old_key_used: { ends: 'event', severity: 'red', check: 'identity', word: 'Old key' },
  foreign_ids: { ends: 'event', severity: 'red', check: 'identity', word: 'Foreign ids' },
} as const satisfies Record<
  string,
  { ends: 'state' | 'event'; severity: Severity; check: Check; word: string }
>
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
