// What the page says runs here: the versions of this server, and of the hosts one may see.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { hosts } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost } from '../testing-fleet.ts'
import { version } from '../version.ts'
import { about } from './about.ts'
import { wholeFleet } from './scope.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

test('versions are counted, those of most hosts first, and only of hosts one may see', async () => {
  const { db } = database
  const fleet = [
    { agentVersion: '0.1.0', resticVersion: '0.18.0', tags: ['prod'] },
    { agentVersion: '0.1.0', resticVersion: '0.14.0', tags: [] },
    { agentVersion: null, resticVersion: null, tags: ['prod'] },
  ]
  for (const told of fleet) {
    const { hostId } = await makeHost(db, database.seal)
    await db.update(hosts).set(told).where(eq(hosts.id, hostId))
  }
  const whole = await about(db, wholeFleet)
  expect(whole).toMatchObject({ version, node: process.versions.node })
  expect(whole.postgres).toMatch(/^\d+\.\d+$/)
  expect(whole.databaseBytes).toBeGreaterThan(1_000_000)
  expect(whole.agents).toEqual([
    { version: '0.1.0', hosts: 2 },
    { version: null, hosts: 1 },
  ])
  expect((await about(db, ['prod'])).restics).toEqual([
    { version: null, hosts: 1 },
    { version: '0.18.0', hosts: 1 },
  ])
})
