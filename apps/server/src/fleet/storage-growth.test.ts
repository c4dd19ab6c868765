// The sizes of a repository by day, as its page draws them.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { repositoryDays } from '../db/schema-outcomes.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost } from '../testing-fleet.ts'
import { keepStats } from './repository-stats.ts'
import { sizesOfRepository } from './storage-growth.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const dayBack = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)

test('sizes come oldest first within the days asked for, and the change looks 30 days back whatever was asked for', async () => {
  const { sender, repositoryId } = await makeHost(database.db, database.seal)
  expect(await sizesOfRepository(database.db, { repositoryId, days: 90 })).toEqual({
    points: [],
    change30d: null,
  })
  const stats = (sizeBytes: number) =>
    keepStats(database.db, sender, { repositoryId, lockState: 'unlocked', sizeBytes })
  await stats(900)
  await stats(1_000)
  const past = [200, 40, 20].map(days => ({ repositoryId, day: dayBack(days), sizeBytes: 1_000 - days }))
  await database.db.insert(repositoryDays).values(past)
  const today = { day: dayBack(0), sizeBytes: 1_000 }
  const of = (days: number) => sizesOfRepository(database.db, { repositoryId, days })
  expect(await of(400)).toEqual({
    points: [...past.map(({ day, sizeBytes }) => ({ day, sizeBytes })), today],
    change30d: 40,
  })
  expect(await of(1)).toEqual({ points: [today], change30d: 40 })
  await expect(sizesOfRepository(database.db, { repositoryId: newId(), days: 1 })).rejects.toMatchObject({
    code: 'repository_not_found',
  })
})
