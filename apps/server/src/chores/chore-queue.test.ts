// The queue of slow chores: one round for all servers, over the connections we have, and never a reason to end.
import { sql } from 'drizzle-orm'
import { PgBoss } from 'pg-boss'
import { until } from '@restic-manager/testkit/until'
import { timing } from '@restic-manager/contract/timing'
import { expect, test } from 'vitest'
import type { Db } from '../db/open.ts'
import { prepareQueueTables, queueDatabase } from '../db/queue-tables.ts'
import { testDatabase } from '../testing.ts'
import { quiet } from '../testing-fleet.ts'
import { startChoreQueue } from './chore-queue.ts'
import type { SlowChore } from './slow-chores.ts'

const quick = { startMs: 1, lookSeconds: 0.5 }

/** Makes a round due now, as the clock of the queue does. */
async function makeDue(db: Db, name: string) {
  const boss = new PgBoss({
    db: await queueDatabase(db),
    schedule: false,
    supervise: false,
    registerInstance: false,
  })
  await boss.start()
  await boss.send(name)
  await boss.stop({ graceful: false })
}

const schedulesOf = async (db: Db) =>
  Array.from(
    await db.execute<{ name: string }>(sql`select name from pgboss.schedule order by name`),
    row => row.name,
  )

test('a round that is due is done once, by one of two servers, and a chore that is no more is due no more', async () => {
  await using database = await testDatabase()
  const { db } = database
  let rounds = 0
  const chore: SlowChore = {
    name: 'count',
    cron: '0 0 1 1 *',
    run: async () => void (rounds += 1),
  }
  const parts = { db, log: quiet, timing }
  const gone = { ...chore, name: 'gone' }
  const before = startChoreQueue(parts, [chore, gone], quick)
  await until(
    async () => (await schedulesOf(db)).length,
    (length: number) => length === 2,
  )
  await before()

  const stops = [startChoreQueue(parts, [chore], quick), startChoreQueue(parts, [chore], quick)]
  await until(
    async () => schedulesOf(db),
    (names: string[]) => names.length === 1,
  )
  await makeDue(db, chore.name)
  await until(() => rounds > 0)
  await Promise.all(stops.map(stop => stop()))
  expect(rounds).toBe(1)
})

test('a chore that fails has its next round, and the queue stops while one is under way', async () => {
  await using database = await testDatabase()
  const { db } = database
  let rounds = 0
  const chore: SlowChore = {
    name: 'fail',
    cron: '0 0 1 1 *',
    async run() {
      rounds += 1
      throw new Error('every round fails')
    },
  }
  const stop = startChoreQueue({ db, log: quiet, timing }, [chore], quick)
  await until(
    async () => (await schedulesOf(db)).length,
    (length: number) => length === 1,
  )
  await until(() => makeDue(db, chore.name).then(() => rounds > 1))
  await stop()
  expect(rounds).toBeGreaterThan(1)
})

test('tables that are there already are left as they are', async () => {
  await using database = await testDatabase()
  await prepareQueueTables(database.db)
  expect(await schedulesOf(database.db)).toEqual([])
})
