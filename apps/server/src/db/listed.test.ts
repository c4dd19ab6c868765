// Lists as one parameter find and write as many rows as they name, more than a statement may have parameters.
import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { testDatabase } from '../testing-database.ts'
import { isOneOf, listedIds } from './listed.ts'

test('a list may be longer than what a statement takes in parameters', async () => {
  await using database = await testDatabase()
  const { db } = database
  const ids = Array.from({ length: 70_000 }, newId)
  await db.execute(sql`create table things (id uuid primary key)`)
  await db.execute(sql`insert into things select id from ${listedIds(ids)}`)
  const count = async (wanted: string[]) => {
    const [row] = await db.execute<{ n: number }>(
      sql`select count(*)::integer as n from things where ${isOneOf(sql`things.id`, wanted)}`,
    )
    return row?.n
  }
  expect(await count(ids)).toBe(70_000)
  expect(await count([ids[7] ?? '', newId()])).toBe(1)
  expect(await count([])).toBe(0)
})
