// Transactions that meet: the database undoes one of them, and it is done again or refused as a whole.
import { sql } from 'drizzle-orm'
import { beforeAll, afterAll, expect, test } from 'vitest'
import { testDatabase, type TestDatabase } from '../testing-database.ts'
import { asWireError } from '../wire-errors.ts'
import { createGate } from './gate.ts'
import { guardClient } from './guard.ts'
import { connect, openDatabase } from './open.ts'
import { outageIn } from './outage.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
  await database.sql`create table counters (id integer primary key, n integer not null)`
  await database.sql`insert into counters values (1, 0), (2, 0)`
})
afterAll(() => database.close())

const raise = (id: number) => sql`update counters set n = n + 1 where id = ${id}`
const counted = async () => (await database.sql`select n from counters order by id`).map(row => row['n'])

test('of two transactions that deadlock the undone one is done again, and both have happened once', async () => {
  const { db } = database
  await database.sql`update counters set n = 0`
  const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  let begun = 0
  const cross = (
    mine: PromiseWithResolvers<void>,
    other: PromiseWithResolvers<void>,
    ids: [number, number],
  ) =>
    db.transaction(async tx => {
      begun += 1
      await tx.execute(raise(ids[0]))
      mine.resolve()
      await other.promise
      await tx.execute(raise(ids[1]))
    })
  await Promise.all([cross(first, second, [1, 2]), cross(second, first, [2, 1])])
  expect(await counted()).toEqual([2, 2])
  expect(begun).toBe(3)
})

test('a serialization failure is done again from the start, with what is true then', async () => {
  const { db } = database
  await database.sql`update counters set n = 0`
  let seen: number[] = []
  await db.transaction(
    async tx => {
      const [row] = await tx.execute<{ n: number }>(sql`select n from counters where id = 1`)
      seen = [...seen, row?.n ?? -1]
      if (seen.length === 1) await database.sql`update counters set n = 10 where id = 1`
      await tx.execute(raise(1))
    },
    { isolationLevel: 'repeatable read' },
  )
  expect(seen).toEqual([0, 10])
  expect(await counted()).toEqual([11, 0])
})

test('a statement that several wait for is asked once', async () => {
  const pool = connect(database.url, { max: 1 })
  const client = guardClient(pool, { gate: createGate({ most: 1, mostWaiting: 1, waitMs: 30_000 }) })
  await database.sql`update counters set n = 0`
  const asked = client.unsafe('update counters set n = n + 1 where id = 1 returning n')
  expect(await Promise.all([asked, asked])).toEqual([[{ n: 1 }], [{ n: 1 }]])
  expect(await counted()).toEqual([1, 0])
  await pool.end()
})

test('one that is in the way every time is refused with a sentence, and nothing of it is kept', async () => {
  const { db } = database
  await database.sql`update counters set n = 0`
  let tries = 0
  const refused = db.transaction(
    async tx => {
      tries += 1
      await tx.execute(sql`select n from counters where id = 1`)
      await database.sql`update counters set n = n + 1 where id = 1`
      await tx.execute(raise(1))
    },
    { isolationLevel: 'repeatable read' },
  )
  const error = asWireError(await refused.catch((reason: unknown) => reason))
  expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', message: expect.stringContaining('Try again') })
  expect(tries).toBe(5)
  expect(await counted()).toEqual([5, 0])
})

test('when all connections are taken, the next caller is refused with a sentence and the others go on (row 17)', async () => {
  const troubles: string[] = []
  const small = openDatabase(database.url, {
    max: 2,
    timing: { databaseWait: 200, databaseAnswer: 30_000 },
    mostWaiting: 1,
    onTrouble: code => troubles.push(code),
  })
  await database.sql`update counters set n = 0`
  const release = Promise.withResolvers<void>()
  const holding = [1, 2].map(id =>
    small.db.transaction(async tx => {
      await tx.execute(raise(id))
      await release.promise
    }),
  )
  const [waited, turnedAway] = await Promise.allSettled([
    small.db.execute(sql`select 1`),
    small.db.execute(sql`select 2`),
  ])
  for (const outcome of [waited, turnedAway])
    expect(outcome.status === 'rejected' && outageIn(outcome.reason)).toMatchObject({
      code: 'DATABASE_BUSY',
      sentence: expect.stringContaining('more to do than it can'),
    })
  expect(troubles).toEqual(['DATABASE_BUSY', 'DATABASE_BUSY'])
  release.resolve()
  await Promise.all(holding)
  expect(await counted()).toEqual([1, 1])
  expect(await small.db.execute(sql`select 3 as three`)).toEqual([{ three: 3 }])
  await small.close()
})

test('a lock that somebody keeps is waited for only so long', async () => {
  const short = openDatabase(database.url, {
    max: 2,
    timing: { databaseWait: 5_000, databaseAnswer: 2_000 },
  })
  const [holds, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const holding = database.db.transaction(async tx => {
    await tx.execute(raise(1))
    holds.resolve()
    await release.promise
  })
  await holds.promise
  const waited = await short.db.execute(raise(1)).catch((error: unknown) => error)
  expect(outageIn(waited)?.code).toBe('55P03')
  release.resolve()
  await holding
  await short.close()
})

test('however often connections die, every place at the database is given back', async () => {
  const most = 3
  const small = openDatabase(database.url, { max: most })
  let ended = false
  const failures: unknown[] = []
  const callers = Array.from({ length: 2 * most }, async (_, n) => {
    while (!ended)
      await (
        n % 2 === 0
          ? small.db.execute(sql`select pg_sleep(0.01)`)
          : small.db.transaction(async tx => {
              await tx.execute(raise(1))
              await tx.transaction(inner => inner.execute(sql`select pg_sleep(0.01)`))
            })
      ).catch((error: unknown) => failures.push(error))
  })
  for (let kills = 0; kills < 20; kills += 1)
    await database.sql`select pg_terminate_backend(pid), pg_sleep(0.02) from pg_stat_activity
      where datname = current_database() and application_name = 'restic-manager'`
  ended = true
  await Promise.all(callers)
  expect(failures.length).toBeGreaterThan(0)
  for (const error of failures) expect(outageIn(error), String(error)).toBeDefined()
  // As many as there are places, each of whom stays until all are inside.
  const inside = Promise.withResolvers<void>()
  let entered = 0
  const meet = async () => {
    await small.db.transaction(async tx => {
      await tx.execute(sql`select 1`)
      entered += 1
      if (entered === most) inside.resolve()
      await inside.promise
    })
  }
  await Promise.all(Array.from({ length: most }, meet))
  await small.close()
})
