// The last days of a part of the fleet are the sum of its hosts, whether the part is small or most of the fleet, and also once records go.
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { hosts, jobs } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost } from '../testing-fleet.ts'
import { backupDays } from './backup-days.ts'
import { countOutcomes } from './outcomes.ts'

let database: TestDatabase
const now = new Date('2026-03-20T12:00:00Z')
const days = ['2026-03-20', '2026-03-18', '2026-02-19', '2026-02-18'] // the last is too long ago
const fleet: [string, string[]][] = [
  ['web-1', ['prod', 'web']],
  ['web-2', ['prod', 'web']],
  ['mail-1', ['prod', 'mail']],
  ['lab-1', ['lab']],
]
beforeAll(async () => {
  database = await testDatabase()
  const { db, seal } = database
  for (const [at, [name, tags]] of fleet.entries()) {
    const { hostId, repositoryId } = await makeHost(db, seal, name)
    await db.update(hosts).set({ tags }).where(eq(hosts.id, hostId))
    const each = { hostId, repositoryId, kind: 'backup' as const, spec: {} }
    for (const day of days)
      await db.insert(jobs).values(
        // 1, 2, 4 and 8 of each, so that every part has a sum of its own.
        Array.from({ length: 2 ** at }, (_, nth) =>
          Object.assign({ id: newId(), createdAt: new Date(`${day}T0${nth}:00:00Z`) }, each, {
            status: nth === 0 ? ('failed' as const) : ('succeeded' as const),
          }),
        ),
      )
  }
})
afterAll(() => database.close())

async function sums(scope: string[] | undefined) {
  await countOutcomes(database.db)
  const known = (await backupDays(database.db, scope, now)).filter(day => day.succeeded + day.failed > 0)
  return Object.fromEntries(known.map(day => [day.day, [day.failed, day.succeeded]]))
}

test.each([
  ['all', undefined, [4, 11]],
  ['most', ['prod'], [3, 4]],
  ['half', ['web'], [2, 1]],
  ['little', ['lab'], [1, 7]],
  ['two tags that share hosts', ['prod', 'web'], [3, 4]],
  ['two tags that are everything', ['prod', 'lab'], [4, 11]],
])('%s of the fleet is the sum of its hosts', async (_name, scope, sum) => {
  expect(await sums(scope)).toEqual({ '2026-02-19': sum, '2026-03-18': sum, '2026-03-20': sum })
})

test('nothing is left of a tag that no host has', async () => {
  expect(await sums(['nowhere'])).toEqual({})
  expect(await backupDays(database.db, ['nowhere'], now)).toHaveLength(30)
})

test('records that are taken away are not counted any more, of no part', async () => {
  await database.db.delete(jobs).where(sql`${jobs.createdAt} < '2026-03-19'`)
  expect(await sums(undefined)).toEqual({ '2026-03-20': [4, 11] })
  expect(await sums(['prod'])).toEqual({ '2026-03-20': [3, 4] })
  expect(await sums(['lab'])).toEqual({ '2026-03-20': [1, 7] })
})
