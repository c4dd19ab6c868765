// Pauses: a paused host starts nothing by its schedules, nothing of that is called missed, and it ends when it was said to.
import { desc, eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { timing } from '@restic-manager/contract/timing'
import { auditEvents } from '../db/schema-operators.ts'
import { hosts } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost, type TestHost } from '../testing-fleet.ts'
import { applySet, fire, fireOf, hoursAgo, planOn, rowsOf } from '../testing-schedules.ts'
import { expectDueSlots } from './expectations.ts'
import { hostPage, viewHost } from './host-views.ts'
import { endPauses, pauseHost, resumeHost } from './pauses.ts'
import { scheduleSetFor } from './schedule-sets.ts'
import { viewSchedule } from './schedule-views.ts'
import { wholeFleet } from './scope.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const newHost = (name?: string) => makeHost(database.db, database.seal, name)
const pause = (host: TestHost, over: { reason?: string; until?: Date } = {}) =>
  pauseHost(database.db, { hostId: host.hostId, ...over }, 'anna')
const resume = (host: TestHost) => resumeHost(database.db, host.hostId)
const inAnHour = () => new Date(Math.floor(Date.now()) + 3_600_000)
const setPause = (host: TestHost, columns: Partial<typeof hosts.$inferInsert>) =>
  database.db.update(hosts).set(columns).where(eq(hosts.id, host.hostId))
const outcomes = async (scheduleId: string) =>
  (await rowsOf(database.db, scheduleId))
    .map(row => [row.scheduledFor?.toISOString(), row.status, row.reason])
    .toSorted()

test('a paused host is told of it with its set, and of its resumption with the next', async () => {
  const host = await newHost()
  const until = inAnHour()
  const before = await scheduleSetFor(database.db, host.sender)
  await pause(host, { until })
  const paused = await scheduleSetFor(database.db, host.sender)
  expect([before.pause, paused.pause?.until]).toEqual([undefined, until.toISOString()])
  await resume(host)
  const resumed = await scheduleSetFor(database.db, host.sender)
  expect(resumed.pause).toBeUndefined()
  expect([paused.version, resumed.version]).toEqual([before.version + 1, before.version + 2])
})

test('a slot of a paused host is skipped, also when its agent knows nothing of pauses, and the next one after it runs', async () => {
  const host = await newHost()
  const scheduleId = await planOn(database.db, host)
  await pause(host)
  const repeated = fireOf(host, scheduleId, hoursAgo(1))
  for (const sent of [repeated, repeated])
    expect(await fire(database.db, host, sent)).toMatchObject([
      { decision: 'skipped', reason: 'host_paused' },
    ])
  await resume(host)
  expect(await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(0)))).toMatchObject([
    { decision: 'queued' },
  ])
  expect(await outcomes(scheduleId)).toEqual([
    [hoursAgo(1), 'skipped', 'host_paused'],
    [hoursAgo(0), 'queued', null],
  ])
})

test('of the slots nobody told of, those in the pause count as skipped and only the others as missed', async () => {
  const host = await newHost()
  const scheduleId = await planOn(database.db, host, { since: hoursAgo(5) })
  await applySet(database.db, host, hoursAgo(5))
  await pause(host, { until: inAnHour() })
  await setPause(host, { pausedAt: new Date(hoursAgo(3)), pausedUntil: new Date(hoursAgo(1)) })
  await expectDueSlots(database.db, timing, new Date(Date.parse(hoursAgo(1)) + 30 * 60_000))
  expect(await outcomes(scheduleId)).toEqual([
    [hoursAgo(4), 'missed', 'not_reported'],
    [hoursAgo(3), 'skipped', 'host_paused'],
    [hoursAgo(2), 'skipped', 'host_paused'],
    [hoursAgo(1), 'missed', 'not_reported'],
  ])
})

test('a host that is resumed late has nothing missed of its pause', async () => {
  const host = await newHost()
  const scheduleId = await planOn(database.db, host, { since: hoursAgo(3) })
  await applySet(database.db, host, hoursAgo(3))
  await pause(host)
  await setPause(host, { pausedAt: new Date(hoursAgo(3)) })
  await resume(host)
  await expectDueSlots(database.db, timing)
  expect((await outcomes(scheduleId)).map(([, status]) => status)).toEqual(['skipped', 'skipped', 'skipped'])
})

test('what a host ran by itself before it heard of the pause stands', async () => {
  const host = await newHost()
  const scheduleId = await planOn(database.db, host)
  await pause(host)
  await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(0), [host.repositoryId]))
  expect(await rowsOf(database.db, scheduleId)).toMatchObject([{ status: 'queued', decidedBy: 'agent' }])
})

test('lists say that it is paused, by whom, why and until when, and count it so, online or not', async () => {
  const host = await newHost('resting')
  const until = inAnHour()
  const scheduleId = await planOn(database.db, host)
  await pause(host, { reason: 'new disks', until })
  expect(await viewHost(database.db, host.hostId)).toMatchObject({
    state: 'paused',
    pause: { by: 'anna', reason: 'new disks', until },
  })
  const list = (state: 'paused' | 'offline' | 'online') =>
    hostPage(database.db, wholeFleet, { limit: 10, sort: 'name', state, search: 'resting' })
  expect([(await list('paused')).total, (await list('offline')).total, (await list('online')).total]).toEqual(
    [1, 0, 0],
  )
  const { nextRunAt } = await viewSchedule(database.db, scheduleId, timing)
  expect(nextRunAt?.getTime()).toBeGreaterThanOrEqual(until.getTime())
  await pause(host)
  expect((await viewSchedule(database.db, scheduleId, timing)).nextRunAt).toBeNull()
})

test('the same pause again changes nothing; another end or reason does, and it stays paused since then', async () => {
  const host = await newHost()
  await pause(host, { reason: 'a' })
  const first = await viewHost(database.db, host.hostId)
  await pause(host, { reason: 'a' })
  expect((await viewHost(database.db, host.hostId)).scheduleVersion).toBe(first.scheduleVersion)
  await pause(host, { reason: 'b' })
  expect(await viewHost(database.db, host.hostId)).toMatchObject({
    scheduleVersion: first.scheduleVersion + 1,
    pause: { reason: 'b', since: first.pause?.since },
  })
  await resume(host)
  await resume(host)
  expect((await viewHost(database.db, host.hostId)).scheduleVersion).toBe(first.scheduleVersion + 2)
})

test('an end that is over is refused, and so is a host that is not there', async () => {
  const host = await newHost()
  await expect(pause(host, { until: new Date(0) })).rejects.toMatchObject({ code: 'bad_input' })
  await setPause(host, { removedAt: new Date() })
  await expect(pause(host)).rejects.toMatchObject({ code: 'host_not_found' })
  await expect(resume(host)).rejects.toMatchObject({ code: 'host_not_found' })
})

test('a pause ends by itself when its time has come, and that is on record', async () => {
  const host = await newHost()
  await endPauses(database.db) // of the tests above
  await pause(host, { until: inAnHour() })
  expect(await endPauses(database.db)).toBe(0)
  await setPause(host, { pausedUntil: new Date(Date.now() - 1_000) })
  expect(await viewHost(database.db, host.hostId)).toMatchObject({ state: 'online', pause: null })
  expect(await endPauses(database.db)).toBe(1)
  const [event] = await database.db
    .select({ action: auditEvents.action, actor: auditEvents.actorKind })
    .from(auditEvents)
    .where(eq(auditEvents.targetId, host.hostId))
    .orderBy(desc(auditEvents.number))
    .limit(1)
  expect(event).toEqual({ action: 'pause ended', actor: 'server' })
  expect((await scheduleSetFor(database.db, host.sender)).pause).toBeUndefined()
})
