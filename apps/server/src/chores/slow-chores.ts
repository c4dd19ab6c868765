// What is done every minute or more seldom. One server does each round, whichever is free.
import type { Timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import { forgetLimits } from '../auth/limits.ts'
import { forgetSessions } from '../auth/sessions.ts'
import { forgetTickets } from '../auth/tickets.ts'
import type { Db } from '../db/open.ts'
import { tellRepeats } from '../fleet/audit-repeats.ts'
import { forgetBulks } from '../fleet/bulk-work.ts'
import { clearLeftovers } from '../fleet/leftovers.ts'
import { removeExpiredAudit } from '../fleet/expired-audit.ts'
import { removeExpiredJobs } from '../fleet/expired-jobs.ts'
import { turnLogDays } from '../fleet/log-days.ts'
import { unlockStale } from '../fleet/stale-locks.ts'

export type ChoreParts = { db: Db; log: Log; timing: Timing }

export type SlowChore = {
  /** Letters and hyphens: it is the name of a queue. */
  name: string
  /** Five fields, in UTC. */
  cron: string
  /** One round. Safe to run anywhere, at any time, twice, and several at once: a server that slept in it wakes up in it. */
  run(parts: ChoreParts): Promise<void>
}

/** All of them. */
export const slowChores: readonly SlowChore[] = [
  {
    name: 'clear-stale-locks',
    cron: '* * * * *',
    async run({ db, log, timing }) {
      const unlocks = await unlockStale(db, timing)
      if (unlocks > 0) log.warn({ repositories: unlocks }, 'locks were left over and are being removed')
    },
  },
  {
    name: 'forget-sign-ins',
    cron: '*/10 * * * *',
    async run({ db }) {
      await forgetSessions(db)
      await forgetTickets(db)
      await forgetLimits(db)
    },
  },
  { name: 'tell-repeats', cron: '* * * * *', run: ({ db }) => tellRepeats(db) },
  {
    name: 'clear-leftovers',
    cron: '*/10 * * * *',
    run: async ({ db }) => {
      await clearLeftovers(db)
      await forgetBulks(db)
    },
  },
  {
    name: 'turn-log-days',
    cron: '*/10 * * * *',
    async run({ db, log }) {
      const { removed, clocksApartMs } = await turnLogDays(db)
      if (clocksApartMs !== undefined)
        log.warn(
          { hours: Math.round(clocksApartMs / 3_600_000) },
          'the clocks of the database and of this server are more than a day apart: nothing old is removed until they agree',
        )
      if (removed.length > 0) log.info({ days: removed }, 'logs were removed because they are old')
    },
  },
  {
    name: 'remove-expired-records',
    cron: '5-59/10 * * * *',
    async run({ db, log }) {
      const jobs = await removeExpiredJobs(db)
      if (jobs.removed > 0) log.info({ jobs: jobs.removed }, 'jobs were removed because they are old')
      const audit = await removeExpiredAudit(db)
      if (audit.removed > 0)
        log.info({ rows: audit.removed }, 'rows of the audit log were removed because they are old')
    },
  },
]
