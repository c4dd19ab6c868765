// Slow chores over the queue library: its clock makes the rounds due, and of all servers one does each.
import type { PgBoss } from 'pg-boss'
import type { Log } from '@restic-manager/runtime/log'
import { isOutage } from '../db/outage.ts'
import { queueDatabase } from '../db/queue-tables.ts'
import { repeat, rootOf } from './repeat.ts'
import type { ChoreParts, SlowChore } from './slow-chores.ts'

type Periods = {
  /** Nothing here is urgent: the queue begins when the start of the server is over. */
  startMs: number
  /** How often a server looks for a round to do. */
  lookSeconds: number
  /** How often rounds that died with their server are given up, and done ones deleted. */
  tidyMs: number
}
const usualPeriods: Periods = { startMs: 5_000, lookSeconds: 20, tidyMs: 300_000 }

/** A round that takes longer than this is taken to have died with its server, and the next one may begin. */
const LONGEST_ROUND_SECONDS = 900
/** How long a stop waits for a round under way. */
const STOP_MS = 10_000

/** Starts to do `chores` with the other servers. The answer stops it, and takes ten seconds at the most. A database that is away only delays rounds. */
export function startChoreQueue(
  parts: ChoreParts,
  chores: readonly SlowChore[],
  wish: Partial<Periods> = {},
): () => Promise<void> {
  const periods = { ...usualPeriods, ...wish }
  let boss: PgBoss | undefined
  const stopBeginning = repeat('begin the queue of chores', periods.startMs, parts.log, async () => {
    boss ??= await begin(parts, chores, periods)
  })
  const stopTidying = repeat('tidy the queue of chores', periods.tidyMs, parts.log, async () => {
    await boss?.supervise()
  })
  return async () => {
    await stopBeginning()
    await Promise.race([
      Promise.all([stopTidying(), boss?.stop({ timeout: STOP_MS })]),
      new Promise(resolve => setTimeout(resolve, STOP_MS + 1_000).unref()),
    ])
  }
}

/** Everything here is safe to do again, and what fails on the way is done again as a whole. */
async function begin(
  parts: ChoreParts,
  chores: readonly SlowChore[],
  { lookSeconds }: Periods,
): Promise<PgBoss> {
  const { PgBoss } = await import('pg-boss')
  const boss = new PgBoss({
    db: await queueDatabase(parts.db),
    // We tidy ourselves: its own supervisor also looks for things we do not use, every five seconds.
    supervise: false,
    registerInstance: false,
    queueCacheIntervalSeconds: 3_600,
    bamIntervalSeconds: 3_600,
    cronWorkerIntervalSeconds: Math.max(1, lookSeconds),
  })
  boss.on('error', error => tellFailure(parts.log, error))
  boss.on('warning', ({ message }) => parts.log.warn({ warning: message }, 'the queue of chores warns'))
  try {
    await boss.start()
    for (const chore of chores) await offer(boss, chore)
    for (const { name } of await boss.getSchedules())
      if (!chores.some(chore => chore.name === name)) await boss.unschedule(name)
    for (const chore of chores)
      await boss.work(chore.name, { pollingIntervalSeconds: lookSeconds }, async () => {
        await doRound(chore, parts)
      })
    return boss
  } catch (error) {
    await boss.stop({ graceful: false })
    throw error
  }
}

async function offer(boss: PgBoss, { name, cron }: SlowChore) {
  // At most one round waits or is under way; one that failed is not tried again, the next comes soon enough.
  await boss.createQueue(name, {
    policy: 'exclusive',
    retryLimit: 0,
    expireInSeconds: LONGEST_ROUND_SECONDS,
    retentionSeconds: LONGEST_ROUND_SECONDS,
    deleteAfterSeconds: LONGEST_ROUND_SECONDS,
  })
  await boss.schedule(name, cron)
}

async function doRound(chore: SlowChore, parts: ChoreParts) {
  try {
    await chore.run(parts)
  } catch (error) {
    parts.log.error({ chore: chore.name, reason: rootOf(error) }, 'a chore failed')
  }
}

/** While the database is away the queue asks in vain; whoever needs to know hears of it from elsewhere. */
function tellFailure(log: Log, told: Error) {
  // A worker's error comes as a plain copy of it.
  const error = told instanceof Error ? told : Object.assign(new Error('unknown'), told as object)
  if (isOutage(error)) log.debug({ reason: rootOf(error) }, 'the queue of chores waits for the database')
  else log.warn({ reason: rootOf(error) }, 'the queue of chores met an error')
}
