// Changes of configuration that get in each other's way all come through.
import { eq } from 'drizzle-orm'
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
