// Changes of configuration that get in each other's way all come through.
import { eq, sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { hosts } from '../db/schema.ts'
import { testDatabase } from '../testing.ts'
import { enrolMachine } from '../testing-fleet.ts'
import { changeConfiguration } from './configuration.ts'

test('two changes that take the same hosts in opposite order both come through', async () => {
  await using database = await testDatabase()
  const { db } = database
  const [one, two] = [await enrolMachine(db), await enrolMachine(db)]
  const met = { one: Promise.withResolvers<void>(), two: Promise.withResolvers<void>() }
  const change = (first: string, second: string, here: 'one' | 'two', there: 'one' | 'two') =>
    changeConfiguration(db, async tx => {
      await tx.select().from(hosts).where(eq(hosts.id, first)).for('no key update')
      met[here].resolve()
      await met[there].promise
      return { result: undefined, hostIds: [second] }
    })
  await Promise.all([
    change(one.hostId, two.hostId, 'one', 'two'),
    change(two.hostId, one.hostId, 'two', 'one'),
  ])
  const versions = await db.select({ version: hosts.configVersion }).from(hosts)
  expect(versions.map(row => row.version)).toEqual([2, 2])
})

test('an edit that touches every host leaves the indexes of their table as they are', async () => {
  await using database = await testDatabase()
  const { db } = database
  await db.execute(sql`insert into hosts (id, name, hostname, public_key)
    select gen_random_uuid(), 'web-' || n, 'web-' || n, 'key of ' || n from generate_series(1, 1000) as n`)
  const hostIds = (await db.select({ id: hosts.id }).from(hosts)).map(({ id }) => id)
  await db.transaction(async tx => {
    await changeConfiguration(tx, async () => ({ result: undefined, hostIds }))
    const [counted] = await tx.execute<{ changed: number; hot: number }>(sql`
      select n_tup_upd::int as changed, n_tup_hot_upd::int as hot from pg_stat_xact_user_tables where relname = 'hosts'`)
    expect(counted?.changed).toBe(1_000)
    expect(counted?.hot).toBeGreaterThan(950)
  })
})
