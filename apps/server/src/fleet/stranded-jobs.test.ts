// Jobs that were made for a maintenance host at the moment in which it was changed or removed: nobody would ever get their order.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { timing } from '@restic-manager/contract/timing'
import { hosts, repositories } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { accept, makeVault, rowOf, run } from '../testing-maintenance.ts'
import { dispatchHeld } from './dispatch.ts'
import { expireJobs } from './jobs.ts'
import { moveStrandedJobs } from './maintenance-hosts.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const vault = () => makeVault(database.db, database.seal)
const prune = { kind: 'prune', spec: {} } as const

describe('a job that was made for a maintenance host at the moment it was changed', () => {
  const changeTo = (repositoryId: string, maintenanceHostId: string | null) =>
    database.db.update(repositories).set({ maintenanceHostId }).where(eq(repositories.id, repositoryId))

  test('goes to the new one while it is held, and does not stand in the way of others for hours', async () => {
    const { repositoryId, one, two, keeper } = await vault()
    const { jobId: backup } = await one.backUp()
    await accept(database.db, one, backup)
    const jobId = await run(database.db, keeper, prune)
    await changeTo(repositoryId, two.hostId)
    expect(await moveStrandedJobs(database.db)).toBe(1)
    expect(await rowOf(database.db, jobId)).toMatchObject({ status: 'queued', hostId: two.hostId })
    expect(await moveStrandedJobs(database.db)).toBe(0)
  })

  test('is taken back when it was let go, and skipped where there is none any more', async () => {
    const { repositoryId, one, two, keeper } = await vault()
    const jobId = await run(database.db, keeper, prune)
    await changeTo(repositoryId, two.hostId)
    await moveStrandedJobs(database.db)
    expect(await rowOf(database.db, jobId)).toMatchObject({ status: 'cancelled', hostId: keeper.hostId })
    await changeTo(repositoryId, keeper.hostId)
    const { jobId: backup } = await one.backUp()
    await accept(database.db, one, backup)
    const held = await run(database.db, keeper, prune)
    await changeTo(repositoryId, null)
    await moveStrandedJobs(database.db)
    expect(await rowOf(database.db, held)).toMatchObject({ status: 'skipped', reason: 'no_maintenance_host' })
  })

  test('expires when its host was removed at that moment, held or not', async () => {
    const { one, keeper } = await vault()
    const { jobId: backup } = await one.backUp()
    await accept(database.db, one, backup)
    const jobId = await run(database.db, keeper, prune)
    await database.db.update(hosts).set({ removedAt: new Date() }).where(eq(hosts.id, keeper.hostId))
    await dispatchHeld(database.db, timing)
    await expireJobs(database.db)
    expect(await rowOf(database.db, jobId)).toMatchObject({ status: 'expired' })
  })
})
