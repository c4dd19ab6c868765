// What a server does by the clock. Every chore is one that several servers may do at once without harm.
import type { Timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import type { Db } from '../db/open.ts'
import { expireJobs, loseSilentJobs } from '../fleet/jobs.ts'
import { clearLeftovers } from '../fleet/leftovers.ts'
import { type Presence, sweepSilentHosts } from '../fleet/presence.ts'
import { repeat, rootOf } from './repeat.ts'

type ChoresContext = { db: Db; log: Log; timing: Timing; presence: Presence }

/** How often, in milliseconds. */
const usualPeriods = { presence: 2_000, sweep: 5_000, expiry: 15_000, leftovers: 10 * 60_000 }

/** Starts the chores. The answer stops them, and resolves when the one under way has ended and presence is written down. */
export function startChores(
  { db, log, timing, presence }: ChoresContext,
  periods = usualPeriods,
): () => Promise<void> {
  const stops = [
    repeat('write presence', periods.presence, log, () => presence.flush(db)),
    repeat('sweep silent hosts', periods.sweep, log, async () => {
      // Own news first: after a pause of the database everybody would look silent.
      await presence.flush(db)
      const gone = await sweepSilentHosts(db, timing.offlineAfter)
      if (gone.length > 0) log.info({ hosts: gone.length }, 'hosts went silent')
    }),
    repeat('expire and lose jobs', periods.expiry, log, async () => {
      const expired = await expireJobs(db)
      if (expired > 0) log.info({ jobs: expired }, 'queued jobs expired')
      const lost = await loseSilentJobs(db, timing.lostAfter)
      if (lost > 0) log.warn({ jobs: lost }, 'jobs of silent hosts were given up for now')
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
