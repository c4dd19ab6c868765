// An outage passes and a wrong statement does not: they must not be taken for each other.
import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { testDatabase } from '../testing.ts'
import { openDatabase } from './open.ts'
import { isOutage, unlessOutage } from './outage.ts'

const failureOf = async (query: PromiseLike<unknown>) => {
  try {
    await query
  } catch (error) {
    return error
  }
  throw new Error('this was to fail')
}

test('a backend that is killed under a query is an outage', async () => {
  await using database = await testDatabase()
  const killed = failureOf(
    database.db.execute(sql`select pg_terminate_backend(pg_backend_pid()), pg_sleep(5)`),
  )
  expect(isOutage(await killed)).toBe(true)
})

test('a database that is not there is an outage', async () => {
  const nowhere = openDatabase('postgres://nobody@127.0.0.1:1/nothing', { max: 1 })
  expect(await unlessOutage(async () => nowhere.db.execute(sql`select 1`))).toBeUndefined()
  await nowhere.close()
})

test('a wrong statement is not', async () => {
  await using database = await testDatabase()
  expect(isOutage(await failureOf(database.db.execute(sql`select * from nothing`)))).toBe(false)
  expect(isOutage(new Error('anything'))).toBe(false)
  await expect(unlessOutage(() => Promise.reject(new Error('a bug')))).rejects.toThrow('a bug')
})
