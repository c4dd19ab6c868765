// Locks left over by a killed restic: seen, removed only when nobody can hold them, and what failed on them is tried once more.
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { retryJobId, slotJobId } from '@restic-manager/contract/slots'
import { toInstant } from '@restic-manager/contract/scalars'
import { timing } from '@restic-manager/contract/timing'
import { hosts, jobs, repositories } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost, type TestHost } from '../testing-fleet.ts'
import { accept, end, makeVault, rowOf } from '../testing-maintenance.ts'
import { applySet, fire, fireOf, hoursAgo, planOn, rowsOf } from '../testing-schedules.ts'
import { keepStats } from './repository-stats.ts'
import { unlockStale } from './stale-locks.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const sweep = () => unlockStale(database.db, timing)
const minutesAgo = (minutes: number) => toInstant(Date.now() - minutes * 60_000)
const unlocksOf = async (repositoryId: string) =>
  (await database.db.select().from(jobs).where(eq(jobs.repositoryId, repositoryId))).filter(
    job => job.kind === 'unlock',
  )
const tellLock = (host: TestHost, minutes: number) =>
  keepStats(database.db, host.sender, {
    repositoryId: host.repositoryId,
    lockState: 'locked',
    locks: [{ hostname: 'gone', pid: 7, createdAt: minutesAgo(minutes), exclusive: false }],
  })
const onlyUnlock = async (repositoryId: string) => {
  const [unlock, ...others] = await unlocksOf(repositoryId)
  if (unlock === undefined || others.length > 0) throw new Error('there is not one unlock')
  return unlock
}

describe('a lock that was told', () => {
  test('is removed on the maintenance host once it is old, with the credential that may delete', async () => {
    const { one, keeper, repositoryId } = await makeVault(database.db, database.seal)
    await tellLock(one, 20)
    await sweep()
    expect(await unlocksOf(repositoryId)).toEqual([])
    await tellLock(one, 31)
    await sweep()
    await sweep()
    expect(await onlyUnlock(repositoryId)).toMatchObject({
      hostId: keeper.hostId,
      elevated: true,
      requestedBy: null,
      status: 'queued',
    })
  })

  test('is removed by a host with access that is there, where nobody maintains the repository', async () => {
    const host = await makeHost(database.db, database.seal)
    await tellLock(host, 31)
    await database.db.update(hosts).set({ online: false }).where(eq(hosts.id, host.hostId))
    await sweep()
    expect(await unlocksOf(host.repositoryId)).toEqual([])
    await database.db.update(hosts).set({ online: true }).where(eq(hosts.id, host.hostId))
    await sweep()
    expect(await onlyUnlock(host.repositoryId)).toMatchObject({ hostId: host.hostId, elevated: false })
  })

  test.each([
    ['is running', { status: 'running' }],
    ['was decided by its host alone', { status: 'queued', decidedBy: 'agent' }],
    ['was lost today', { status: 'lost' }],
  ] as const)('stays while a job %s', async (_, state) => {
    const host = await makeHost(database.db, database.seal)
    const { jobId } = await host.backUp()
    await database.db.update(jobs).set(state).where(eq(jobs.id, jobId))
    await tellLock(host, 31)
    await sweep()
    expect(await unlocksOf(host.repositoryId)).toEqual([])
    await database.db.update(jobs).set({ status: 'failed', reported: true }).where(eq(jobs.id, jobId))
    await sweep()
    expect(await unlocksOf(host.repositoryId)).toHaveLength(1)
  })

  test('that stays is tried once an hour, and not while another name of the repository is at it', async () => {
    const host = await makeHost(database.db, database.seal)
    const twin = await makeHost(database.db, database.seal)
    await tellLock(host, 31)
    await tellLock(twin, 31)
    await database.db
      .update(repositories)
      .set({ resticId: 'e'.repeat(64) })
      .where(sql`${repositories.id} in (${host.repositoryId}, ${twin.repositoryId})`)
    await sweep()
    const all = async () => [...(await unlocksOf(host.repositoryId)), ...(await unlocksOf(twin.repositoryId))]
    const [first] = await all()
    expect(await all()).toHaveLength(1)
    await end(database.db, first?.hostId === host.hostId ? host : twin, first?.id ?? '', 'succeeded')
    await sweep()
    expect(await all()).toHaveLength(1)
    await database.db
      .update(jobs)
      .set({ createdAt: new Date(Date.now() - 3_700_000) })
      .where(eq(jobs.id, first?.id ?? ''))
    await sweep()
    expect(await all()).toHaveLength(2)
  })

  test('is seen by several servers at once and removed by one order', async () => {
    const host = await makeHost(database.db, database.seal)
    await tellLock(host, 31)
    await Promise.all([sweep(), sweep(), sweep()])
    expect(await unlocksOf(host.repositoryId)).toHaveLength(1)
  })
})

describe('maintenance that failed on a lock', () => {
  const slot = hoursAgo(2)

  /** A prune of a schedule that gave up on a lock `minutes` ago. */
  async function pruneThatFailed(minutes: number) {
    const { db } = database
    const { one, keeper, repositoryId } = await makeVault(db, database.seal)
    const scheduleId = await planOn(db, one, { kind: 'prune', paths: undefined, since: hoursAgo(5) })
    await applySet(db, one)
    await fire(db, one, fireOf(one, scheduleId, slot))
    const jobId = slotJobId(scheduleId, slot, repositoryId)
    await accept(db, keeper, jobId)
    const told = { scheduleId, scheduledAt: slot, reason: 'locked', finishedAt: minutesAgo(minutes) }
    await end(db, keeper, jobId, 'failed', told)
    return { one, keeper, repositoryId, scheduleId, jobId }
  }

  test('leads to an unlock once the lock must be stale, though backups go on, and then to one more attempt', async () => {
    const { one, keeper, repositoryId, scheduleId, jobId } = await pruneThatFailed(40)
    const { jobId: backup } = await one.backUp()
    await end(database.db, one, backup, 'succeeded')
    await sweep()
    const unlock = await onlyUnlock(repositoryId)
    await accept(database.db, keeper, unlock.id)
    await end(database.db, keeper, unlock.id, 'succeeded')
    const again = retryJobId(jobId, 1)
    expect(await rowOf(database.db, again)).toMatchObject({
      kind: 'prune',
      hostId: keeper.hostId,
      elevated: true,
      status: 'queued',
      releasedAt: expect.any(Date),
    })
    await accept(database.db, keeper, again)
    const told = { scheduleId, scheduledAt: slot, retryOf: jobId, reason: 'locked' }
    await end(database.db, keeper, again, 'failed', told)
    expect(await rowsOf(database.db, scheduleId)).toHaveLength(2)
  })

  test('is left alone while the lock may still be in use, and after something got through', async () => {
    const fresh = await pruneThatFailed(20)
    await sweep()
    expect(await unlocksOf(fresh.repositoryId)).toEqual([])
    const over = await pruneThatFailed(40)
    await database.db
      .update(jobs)
      .set({ createdAt: new Date(Date.now() - 3_600_000) })
      .where(eq(jobs.id, over.jobId))
    await fire(database.db, over.one, fireOf(over.one, over.scheduleId, hoursAgo(1)))
    const later = slotJobId(over.scheduleId, hoursAgo(1), over.repositoryId)
    await end(database.db, over.keeper, later, 'succeeded', {
      scheduleId: over.scheduleId,
      scheduledAt: hoursAgo(1),
    })
    await sweep()
    expect(await unlocksOf(over.repositoryId)).toEqual([])
  })
})
