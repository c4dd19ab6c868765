// What a server does by the clock. Every chore is one that several servers may do at once without harm.
import type { Timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import type { Db } from '../db/open.ts'
import { dispatchHeld } from '../fleet/dispatch.ts'
import { expectDueSlots } from '../fleet/expectations.ts'
import { expireJobs, loseSilentJobs } from '../fleet/jobs.ts'
import { clearLeftovers } from '../fleet/leftovers.ts'
import { moveStrandedJobs } from '../fleet/maintenance-hosts.ts'
import { type Presence, sweepSilentHosts } from '../fleet/presence.ts'
import { unlockStale } from '../fleet/stale-locks.ts'
import { repeat, rootOf } from './repeat.ts'

type ChoresContext = { db: Db; log: Log; timing: Timing; presence: Presence }

/** How often, in milliseconds. */
const usualPeriods = {
  presence: 2_000,
  sweep: 5_000,
  expectations: 10_000,
  expiry: 15_000,
  lines: 5_000,
  staleLocks: 60_000,
  leftovers: 10 * 60_000,
}

/** Starts the chores. The answer stops them, and resolves when the one under way has ended and presence is written down. */
export function startChores(
  { db, log, timing, presence }: ChoresContext,
  wish: Partial<typeof usualPeriods> = {},
): () => Promise<void> {
  const periods = { ...usualPeriods, ...wish }
  const startedAt = performance.now()
  const stops = [
    repeat('write presence', periods.presence, log, () => presence.flush(db)),
    repeat('sweep silent hosts', periods.sweep, log, async () => {
      // Own news first: after a pause of the database everybody would look silent.
      await presence.flush(db)
      const gone = await sweepSilentHosts(db, timing.offlineAfter)
      if (gone.length > 0) log.info({ hosts: gone.length }, 'hosts went silent')
    }),
    repeat('expect slots', periods.expectations, log, async () => {
      // After a start hosts first get the time to tell what they did meanwhile.
      if (performance.now() - startedAt < timing.late + timing.missedGrace) return
      await expectDueSlots(db, timing)
    }),
    repeat('expire and lose jobs', periods.expiry, log, async () => {
      const expired = await expireJobs(db, timing)
      if (expired > 0) log.info({ jobs: expired }, 'queued jobs expired')
      const lost = await loseSilentJobs(db, timing.lostAfter)
      if (lost > 0) log.warn({ jobs: lost }, 'jobs of silent hosts were given up for now')
    }),
    repeat('look at what is held', periods.lines, log, async () => {
      await moveStrandedJobs(db)
      await dispatchHeld(db, timing)
    }),
    repeat('clear stale locks', periods.staleLocks, log, async () => {
      const unlocks = await unlockStale(db, timing)
      if (unlocks > 0) log.warn({ repositories: unlocks }, 'locks were left over and are being removed')
    }),
    repeat('clear leftovers', periods.leftovers, log, () => clearLeftovers(db)),
  ]
  return async () => {
    await Promise.all(stops.map(stop => stop()))
    await presence
      .flush(db)
      .catch((error: unknown) =>
        log.warn({ reason: rootOf(error) }, 'presence could not be written at the end'),
      )
  }
}
