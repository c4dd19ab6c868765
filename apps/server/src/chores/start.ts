// What servers do by the clock: presence each for itself, everything else in turns.
import type { Timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import type { Db } from '../db/open.ts'
import { keepAttention } from '../fleet/attention.ts'
import { workOnBulks } from '../fleet/bulk-work.ts'
import { dispatchHeld } from '../fleet/dispatch.ts'
import { expectDueSlots } from '../fleet/expectations.ts'
import { expireJobs, loseSilentJobs } from '../fleet/jobs.ts'
import { moveStrandedJobs } from '../fleet/maintenance-hosts.ts'
import { endPauses } from '../fleet/pauses.ts'
import { countOutcomes } from '../fleet/outcomes.ts'
import { readPlans } from '../fleet/plans.ts'
import { type Presence, sweepSilentHosts } from '../fleet/presence.ts'
import { startChoreQueue } from './chore-queue.ts'
import { repeat, rootOf } from './repeat.ts'
import { slowChores } from './slow-chores.ts'
import { takeTurn, type Turn } from './turns.ts'

type ChoresContext = { db: Db; log: Log; timing: Timing; presence: Presence }

/** How often, in milliseconds. The slow ones have their times in `slow-chores.ts`. */
const usualPeriods = {
  presence: 2_000,
  sweep: 5_000,
  expectations: 10_000,
  pauses: 10_000,
  bulk: 2_000,
  expiry: 15_000,
  lines: 5_000,
  outcomes: 2_000,
  attention: 3_000,
}

/** Starts the chores. The answer stops them, and resolves when the one under way has ended and presence is written down. */
export function startChores(
  { db, log, timing, presence }: ChoresContext,
  wish: Partial<typeof usualPeriods> = {},
): () => Promise<void> {
  const periods = { ...usualPeriods, ...wish }
  const inTurn = (turn: Turn, round: () => Promise<void>) =>
    repeat(turn.name, turn.periodMs, log, async () => {
      if (await takeTurn(db, turn)) await round()
    })
  const stops = [
    repeat('write presence', periods.presence, log, () => presence.flush(db)),
    inTurn(
      {
        name: 'sweep silent hosts',
        periodMs: periods.sweep,
        // After a pause of the database everybody looks silent until every server has written its news.
        rest: { afterMs: 3 * periods.sweep, forMs: 3 * periods.presence },
      },
      async () => {
        await presence.flush(db)
        const gone = await sweepSilentHosts(db, timing.offlineAfter)
        if (gone.length > 0) log.info({ hosts: gone.length }, 'hosts went silent')
      },
    ),
    inTurn(
      {
        name: 'expect slots',
        periodMs: periods.expectations,
        // Hosts that found no server for long first get the time to tell what they did meanwhile. In a shorter absence nothing
        // can become due that they had not told of before it.
        rest: {
          afterMs: Math.max(timing.missedGrace / 2, 3 * periods.expectations),
          forMs: timing.late + timing.missedGrace,
        },
      },
      async () => void (await expectDueSlots(db, timing)),
    ),
    inTurn({ name: 'act on many hosts', periodMs: periods.bulk }, async () => {
      await workOnBulks(db, { timing, forMs: 5_000 })
    }),
    inTurn({ name: 'end pauses', periodMs: periods.pauses }, async () => {
      const hosts = await endPauses(db)
      if (hosts > 0) log.info({ hosts }, 'hosts go on after their pause')
    }),
    inTurn({ name: 'expire and lose jobs', periodMs: periods.expiry }, async () => {
      const expired = await expireJobs(db, timing)
      if (expired > 0) log.info({ jobs: expired }, 'queued jobs expired')
      const lost = await loseSilentJobs(db, timing.lostAfter)
      if (lost > 0) log.warn({ jobs: lost }, 'jobs of silent hosts were given up for now')
    }),
    inTurn({ name: 'look at what is held', periodMs: periods.lines }, async () => {
      await moveStrandedJobs(db)
      await dispatchHeld(db, timing)
    }),
    inTurn({ name: 'count outcomes', periodMs: periods.outcomes }, async () => {
      await countOutcomes(db)
      await readPlans(db)
    }),
    inTurn(
      { name: 'keep attention', periodMs: periods.attention },
      async () => void (await keepAttention(db)),
    ),
    startChoreQueue({ db, log, timing }, slowChores),
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
