// Statements that come often are prepared, and what a migration changes under them fails nobody.
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testDatabase, type TestDatabase } from '../testing-database.ts'
import { createHotStatements } from './hot-statements.ts'
import { openDatabase } from './open.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
  await database.sql`create table things (n integer)`
  await database.sql`insert into things values (1)`
})
afterAll(() => database.close())

test('a statement becomes hot by its uses, and only so many are kept or counted', () => {
  const hot = createHotStatements({ after: 2, most: 1, mostCounted: 2 })
  expect(['a', 'a', 'a', 'a'].map(hot.use)).toEqual([false, false, true, true])
  expect(['b', 'b', 'b'].map(hot.use)).toEqual([false, false, false])
  hot.stop()
  expect(hot.use('a')).toBe(false)
})

test('rare statements of many shapes do not fill the memory of counts', () => {
  const hot = createHotStatements({ after: 1, mostCounted: 2 })
  expect(['a', 'b', 'c', 'a'].map(hot.use)).toEqual([false, false, false, false])
  expect(hot.use('a')).toBe(true)
})

test('what is asked often is prepared once for each connection, outside of transactions and inside', async () => {
  const { db, close } = openDatabase(database.url, { max: 1 })
  const ask = (from: typeof db) => from.execute<{ n: number }>(sql`select n from things where n >= ${0}`)
  for (let asked = 0; asked < 15; asked += 1) expect(await ask(db)).toMatchObject([{ n: 1 }])
  await db.transaction(async tx => expect(await ask(tx)).toMatchObject([{ n: 1 }]))
  const kept = await db.execute(
    sql`select statement from pg_prepared_statements where statement like 'select n from things%'`,
  )
  expect(kept).toHaveLength(1)
  await close()
})

test('a column that changes under prepared statements fails neither a statement nor a transaction', async () => {
  const { db, close } = openDatabase(database.url, { max: 1 })
  const ask = (from: typeof db) => from.execute<{ n: unknown }>(sql`select n from things where n >= ${0}`)
  for (let asked = 0; asked < 15; asked += 1) await ask(db)
  await database.sql`alter table things alter column n type numeric`
  let tries = 0
  await db.transaction(async tx => {
    tries += 1
    expect(await ask(tx)).toMatchObject([{ n: '1' }])
  })
  expect(tries).toBe(2)
  expect(await ask(db)).toMatchObject([{ n: '1' }])
  await close()
})
