// Jobs that are old go, and nothing that anybody still needs goes with them: not a standing, not a count, not the certainty that a slot ran once.
import { eq, inArray, sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { encodeLine } from '@restic-manager/contract/log'
import { newId } from '@restic-manager/contract/ids'
import { retryJobId } from '@restic-manager/contract/slots'
import { usualJobDays } from '@restic-manager/contract/settings'
import { fleetDays, hostDays, standings } from '../db/schema-outcomes.ts'
import { hosts, jobs, schedules } from '../db/schema.ts'
import { alerts } from '../db/schema-alerts.ts'
import { jobProgress, logBlocks } from '../db/schema-logs.ts'
import { settings } from '../db/schema-server.ts'
import { snapshots } from '../db/schema-snapshots.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { asAnna, makeHost, type TestHost } from '../testing-fleet.ts'
import { acceptSlot, finishSlot, fire, fireOf, idOf, planOn } from '../testing-schedules.ts'
import { removeExpiredJobs } from './expired-jobs.ts'
import { makeLogDay } from './log-days.ts'
import { nextOrders, nothingSent } from './orders.ts'
import { countOutcomes, rebuildOutcomes } from './outcomes.ts'
import { retryJob } from './retries.ts'
import { readJobDays, updateSettings } from './settings.ts'

let database: TestDatabase
let host: TestHost
let scheduleId: string
beforeAll(async () => {
  database = await testDatabase()
})
beforeEach(async () => {
  const { db } = database
  await db.delete(alerts)
  await db.delete(jobs)
  await db.delete(settings)
  await countOutcomes(db)
  await db.delete(fleetDays)
  host = await makeHost(db, database.seal)
  scheduleId = await planOn(db, host)
})
afterAll(() => database.close())

const DAY_MS = 86_400_000
const thisDay = Math.floor(Date.now() / DAY_MS) * DAY_MS
const daysAgo = (days: number) => new Date(thisDay - days * DAY_MS)
const slotOf = (days: number) => daysAgo(days).toISOString()

/** A job that ended so many days ago, as agents report them, of the schedule unless told otherwise. */
async function put(days: number, over: Partial<typeof jobs.$inferInsert> = {}): Promise<string> {
  const at = daysAgo(days)
  const id = over.id ?? idOf(host, scheduleId, at.toISOString())
  await database.db.insert(jobs).values({
    ...{
      id,
      hostId: host.hostId,
      repositoryId: host.repositoryId,
      scheduleId,
      scheduledFor: at,
      kind: 'backup',
    },
    ...{ status: 'succeeded', reported: true, spec: { paths: ['/srv'] }, releasedAt: at },
    ...{ createdAt: at, startedAt: at, finishedAt: at, ...over },
  })
  return id
}
/** The same without a schedule: somebody ran it by hand. */
const putByHand = (days: number, over: Partial<typeof jobs.$inferInsert> = {}) =>
  put(days, { id: newId(), scheduleId: null, scheduledFor: null, ...over })

const remove = (wish: Parameters<typeof removeExpiredJobs>[1] = {}) => removeExpiredJobs(database.db, wish)
const left = async () => new Set((await database.db.select({ id: jobs.id }).from(jobs)).map(({ id }) => id))

test('jobs go by the setting, oldest first and in steps, with their logs and what else hangs on them', async () => {
  const { db } = database
  expect(await readJobDays(db)).toBe(usualJobDays)
  const old = await Promise.all([900, 500, 402, 401].map(days => put(days)))
  const young = await Promise.all([399, 60, 1].map(days => put(days)))
  const [oldest = ''] = old
  const day = slotOf(900).slice(0, 10)
  await makeLogDay(db, day)
  await db.insert(logBlocks).values({
    ...{ day, jobId: oldest, hostId: host.hostId, firstSeq: 0, count: 1, startedAt: daysAgo(900) },
    block: Buffer.from(encodeLine(0, 'stdout', 'of long ago')),
  })
  await db.execute(
    sql`insert into job_progress (job_id, host_id, progress) values (${oldest}, ${host.hostId}, '{}')`,
  )
  expect(await remove({ step: 1, forMs: 0 })).toEqual({ removed: 1 })
  expect(await left()).not.toContain(oldest)
  expect(await db.select().from(logBlocks).where(eq(logBlocks.jobId, oldest))).toEqual([])
  expect(await db.select().from(jobProgress).where(eq(jobProgress.jobId, oldest))).toEqual([])
  expect(await remove({ step: 2 })).toEqual({ removed: 3 })
  expect(await left()).toEqual(new Set(young))
  await updateSettings(db, { jobDays: 30 })
  expect(await remove()).toEqual({ removed: 2 })
  expect(await remove()).toEqual({ removed: 0 })
})

test('nothing goes while the clocks of database and server are more than a day apart', async () => {
  await put(500)
  await put(1)
  for (const days of [-2, 2])
    expect(await remove({ now: () => Date.now() + days * DAY_MS })).toMatchObject({ removed: 0 })
  expect(await remove()).toEqual({ removed: 1 })
})

test('of each host, repository, schedule, kind and ending the newest stays, however old', async () => {
  const kept = [
    await put(700),
    await put(650, { status: 'failed', reason: 'locked' }),
    await put(640, { status: 'missed', reported: false }),
    await putByHand(610),
    await putByHand(600, { kind: 'prune' }),
    await putByHand(590, { kind: 'forget' }),
    await putByHand(580, { repositoryId: newId() }),
  ]
  await put(710)
  await put(660, { status: 'failed', reason: 'locked' })
  await putByHand(611)
  await putByHand(601, { kind: 'prune' })
  await countOutcomes(database.db)
  const stands = () => database.db.select().from(standings).where(eq(standings.scheduleId, scheduleId))
  const before = await stands()
  expect(before).toMatchObject([{ status: 'failed', jobId: kept[1], lastGoodAt: daysAgo(700), missed: 1 }])
  expect(await remove()).toEqual({ removed: 4 })
  expect(await left()).toEqual(new Set(kept))
  // Read anew from what is left, a schedule stands as before but for how often it failed.
  await database.db.update(jobs).set({ finishedAt: sql`finished_at + interval '1 millisecond'` })
  await countOutcomes(database.db)
  expect(await stands()).toMatchObject([{ status: 'failed', jobId: kept[1], missed: 1 }])
})

test('what was counted stays counted, also when all is counted anew', async () => {
  const { db } = database
  for (const days of [700, 699, 500, 450, 40]) await put(days)
  await put(700, { id: newId(), retryOf: newId(), status: 'failed' })
  await put(30, { status: 'failed' })
  await countOutcomes(db)
  const counts = async () => ({
    hosts: await db.select().from(hostDays).where(eq(hostDays.hostId, host.hostId)).orderBy(hostDays.day),
    fleet: await db.select().from(fleetDays).orderBy(fleetDays.day),
  })
  const before = await counts()
  expect(before.hosts).toHaveLength(6)
  expect(await remove()).toEqual({ removed: 5 })
  await countOutcomes(db)
  expect(await counts()).toEqual(before)
  await rebuildOutcomes(db)
  expect(await counts()).toEqual(before)
  // A job that goes for another reason takes with it what it added.
  await db.delete(jobs).where(eq(jobs.id, idOf(host, scheduleId, slotOf(40))))
  await countOutcomes(db)
  expect((await counts()).hosts.at(-2)).toMatchObject({ succeeded: 0 })
})

describe('a job stays', () => {
  test.each(['queued', 'accepted', 'running', 'lost'] as const)('while it is %s', async status => {
    const job = await put(500, { status, reported: false, finishedAt: null })
    await put(499, { status, reported: false, finishedAt: null })
    expect(await remove()).toEqual({ removed: 0 })
    expect(await left()).toContain(job)
  })

  test('while a snapshot, an open alert or a waiting job speaks of it', async () => {
    const { db } = database
    const [ofSnapshot, ofAlert, awaited] = [await put(503), await put(502), await put(501)]
    await put(1)
    await db.insert(snapshots).values({
      ...{ repositoryId: host.repositoryId, id: 'a'.repeat(64), shortId: 'a'.repeat(8), time: daysAgo(503) },
      ...{ hostname: 'web-1', paths: ['/srv'], tags: [], sizeBytes: 1, fileCount: 1 },
      ...{ hostId: host.hostId, jobId: ofSnapshot },
    })
    const alert = {
      id: newId(),
      kind: 'backup_failed',
      subject: newId(),
      jobId: ofAlert,
      sentence: 'It failed.',
    }
    await db.insert(alerts).values(alert as typeof alerts.$inferInsert)
    await putByHand(0, { status: 'queued', reported: false, releasedAt: null, waitsForJobId: awaited })
    expect(await remove()).toEqual({ removed: 0 })
    await db.update(alerts).set({ clearedAt: new Date() })
    await db.delete(snapshots)
    await db.update(jobs).set({ waitsForJobId: null })
    expect(await remove()).toEqual({ removed: 3 })
  })

  test('while its host may not have heard that it was given up', async () => {
    const { db } = database
    const given = { reported: false } as const
    for (const status of ['cancelled', 'expired', 'skipped'] as const) {
      await putByHand(500, { ...given, status })
      await putByHand(1, { ...given, status })
    }
    await db
      .update(hosts)
      .set({ lastSeenAt: daysAgo(501) })
      .where(eq(hosts.id, host.hostId))
    expect(await remove()).toEqual({ removed: 0 })
    await db.update(hosts).set({ lastSeenAt: new Date() }).where(eq(hosts.id, host.hostId))
    expect(await remove()).toEqual({ removed: 3 })
    await putByHand(500, { ...given, status: 'cancelled' })
    await db
      .update(hosts)
      .set({ lastSeenAt: daysAgo(501), removedAt: new Date() })
      .where(eq(hosts.id, host.hostId))
    expect(await remove()).toEqual({ removed: 1 })
  })
})

describe('what comes again for a job that is gone is harmless', () => {
  const ordersOf = async () =>
    (await nextOrders(database.db, database.seal, host.sender, nothingSent())).filter(
      ({ order }) => order === 'command.run',
    )

  test('a fire is answered as one whose time is over, and nothing runs twice', async () => {
    const { db } = database
    const slots = [500, 499, 498].map(slotOf)
    for (const slot of slots) {
      await fire(db, host, fireOf(host, scheduleId, slot))
      await acceptSlot(db, host, scheduleId, slot)
      await finishSlot(db, host, scheduleId, slot, { finishedAt: slot })
      await db
        .update(jobs)
        .set({ createdAt: new Date(slot), finishedAt: new Date(slot) })
        .where(eq(jobs.id, idOf(host, scheduleId, slot)))
    }
    // A newer one by hand is the newest of its kind. What the host fired last stays all the same: only its row says that it ran.
    await put(2, { id: newId(), scheduledFor: daysAgo(2), retryOf: newId() })
    expect(await remove()).toEqual({ removed: 2 })
    for (const [at, slot] of slots.entries())
      expect(await fire(db, host, fireOf(host, scheduleId, slot))).toMatchObject([
        at === 2 ? { decision: 'queued' } : { decision: 'skipped', reason: 'superseded' },
      ])
    expect(await ordersOf()).toEqual([])
    expect(await remove()).toMatchObject({ removed: 0 })
  })

  test('its own facts make its row again, which is neither ordered nor tried again, and goes by the next round', async () => {
    const { db } = database
    await db
      .update(schedules)
      .set({ definition: sql`definition || '{"retry": {"count": 3, "delaySeconds": 0}}'` })
      .where(eq(schedules.id, scheduleId))
    const slot = slotOf(500)
    const failed = { status: 'failed', reason: 'unreachable' } as const
    const ids = [
      await put(500, failed),
      await put(500, {
        ...failed,
        id: retryJobId(idOf(host, scheduleId, slot), 1),
        retryOf: idOf(host, scheduleId, slot),
        attempt: 1,
        createdAt: new Date(daysAgo(500).getTime() + 1),
      }),
    ]
    await put(3, failed)
    // The first goes before the last of its line.
    expect(await remove({ step: 1 })).toEqual({ removed: 2 })
    await acceptSlot(db, host, scheduleId, slot)
    await finishSlot(db, host, scheduleId, slot, { ...failed, finishedAt: slot })
    await finishSlot(db, host, scheduleId, slot, { ...failed, finishedAt: slot })
    expect(await db.select().from(jobs).where(inArray(jobs.id, ids))).toMatchObject([
      { status: 'failed', reported: true, decidedBy: 'agent', finishedAt: new Date(slot) },
    ])
    expect(await ordersOf()).toEqual([])
    await db
      .update(jobs)
      .set({ createdAt: new Date(slot) })
      .where(inArray(jobs.id, ids))
    expect(await remove()).toEqual({ removed: 1 })
  })

  test('numbers of attempts are not given twice', async () => {
    const { db } = database
    const first = await putByHand(500, { status: 'failed' })
    const second = { status: 'failed', retryOf: first } as const
    for (const attempt of [1, 2])
      await putByHand(500 - attempt, { ...second, id: retryJobId(first, attempt), attempt })
    await putByHand(30, { status: 'failed' })
    await db.update(jobs).set({ finishedAt: new Date() }).where(eq(jobs.id, first))
    // The first is not old enough by its end, so the last stays with it.
    expect(await remove()).toEqual({ removed: 1 })
    const again = await retryJob(db, { requestId: newId(), jobId: first }, {
      ...asAnna,
      lineWait: 60_000,
    } as never)
    expect(again.jobId).toBe(retryJobId(first, 3))
  })
})
