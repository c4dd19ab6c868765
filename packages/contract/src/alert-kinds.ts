// Every kind of alert in a table, apart from the schemas: a page that only shows alerts needs no schemas.

/** `red`: data is not protected, or somebody may be inside. `amber`: it is, but something about it has to be looked at. */
export const severities = ['red', 'amber'] as const
type Severity = (typeof severities)[number]

/** What found it, in a word that a row can show. */
export const checks = [
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
] as const
type Check = (typeof checks)[number]

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
