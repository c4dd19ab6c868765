// Changes of configuration that get in each other's way all come through.
import { eq, sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { hosts } from '../db/schema.ts'
import { testDatabase } from '../testing.ts'
import { enrolMachine } from '../testing-fleet.ts'
import { changeConfiguration, configurationOf } from './configuration.ts'
import { createRepository } from './repositories.ts'

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

test('hosts that are asked for together each get their own repositories, with the secrets of each', async () => {
  await using database = await testDatabase()
  const { db, seal } = database
  const [one, two, none] = [await enrolMachine(db), await enrolMachine(db), await enrolMachine(db)]
  const make = async (name: string, hostIds: string[]) => {
    const { repositoryId } = await createRepository(db, seal, {
      ...{ requestId: newId(), name, url: `rest:https://${name}.example.org/`, hostIds, mayDelete: true },
      ...{ password: `password of ${name}`, username: name, credential: `credential of ${name}` },
    })
    return {
      repositoryId,
      password: `password of ${name}`,
      credential: `credential of ${name}`,
      username: name,
    }
  }
  const [both, own] = [await make('both', [one.hostId, two.hostId]), await make('own', [two.hostId])]
  const read = async ({ hostId }: { hostId: string }) =>
    (await configurationOf(db, seal, { hostId, version: 1, maxConcurrentRuns: 1 })).repositories
  const configurations = await Promise.all([read(one), read(two), read(none)])
  expect(configurations).toMatchObject([[both], [both, own], []])
  expect(configurations.map(({ length }) => length)).toEqual([1, 2, 0])
})
