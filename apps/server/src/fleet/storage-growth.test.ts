// The sizes of a repository by day, as its page draws them.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { eq, inArray } from 'drizzle-orm'
import { newId } from '@restic-manager/contract/ids'
import { repositoryDays } from '../db/schema-outcomes.ts'
import { hosts, repositories } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost } from '../testing-fleet.ts'
import { keepStats } from './repository-stats.ts'
import { sizesOfRepository, storageGrowth } from './storage-growth.ts'

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

test('what all hold together is the sum of what each held last, and is that of the repositories somebody sees', async () => {
  const { db, seal } = database
  const sizes = [
    { tag: 'red', days: { 89: 100, 40: 300, 10: 250 }, now: 250, change: -50 },
    { tag: 'red', days: { 20: 40 }, now: 70, change: 30 },
    { tag: 'blue', days: { 30: 7, 0: 9 }, now: 9, change: 2 },
  ]
  const ids: string[] = []
  for (const { tag, days, now } of sizes) {
    const { hostId, repositoryId } = await makeHost(db, seal, `${tag}-${now}`)
    ids.push(repositoryId)
    await db
      .update(hosts)
      .set({ tags: [tag] })
      .where(eq(hosts.id, hostId))
    await db.update(repositories).set({ sizeBytes: now }).where(eq(repositories.id, repositoryId))
    for (const [back, sizeBytes] of Object.entries(days))
      await db.insert(repositoryDays).values({ repositoryId, day: dayBack(Number(back)), sizeBytes })
  }
  const red = await storageGrowth(db, ['red'], new Date())
  expect(red).toMatchObject({ repositoryCount: 2, sizeBytes: 320, change30d: -20 })
  expect(red.rows.map(({ change30d }) => change30d)).toEqual([-50, 30])
  const on = new Map(red.trend.map(({ day, sizeBytes }) => [day, sizeBytes]))
  expect([89, 41, 40, 20, 10, 0].map(back => on.get(dayBack(back)))).toEqual([100, 100, 300, 340, 290, 290])
  expect(red.trend).toHaveLength(90)
  expect((await storageGrowth(db, ['blue'], new Date())).trend).toHaveLength(31)
  // Who maintains a repository sees it too.
  const [keeper] = await db.select({ id: hosts.id }).from(hosts).where(eq(hosts.name, 'blue-9'))
  await db
    .update(repositories)
    .set({ maintenanceHostId: keeper?.id ?? null })
    .where(inArray(repositories.id, ids.slice(0, 1)))
  expect(await storageGrowth(db, ['blue'], new Date())).toMatchObject({ repositoryCount: 2, sizeBytes: 259 })
})
