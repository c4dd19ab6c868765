// What hosts ran by themselves while the server was away: recorded once, never ordered, whatever was planned meanwhile.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import type { ScheduleFire } from '@restic-manager/contract/schedule'
import { timing } from '@restic-manager/contract/timing'
import { hosts } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { helloOf, makeHost, quiet, type TestHost } from '../testing-fleet.ts'
import { acceptSlot, finishSlot, fire, fireOf, hoursAgo, idOf, planOn, rowsOf } from '../testing-schedules.ts'
import { greetAgent } from './hello.ts'
import { viewJob } from './job-views.ts'
import { loseSilentJobs } from './jobs.ts'
import { nextOrders, nothingSent } from './orders.ts'
import { removeSchedule, setScheduleEnabled } from './schedules.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const newHost = () => makeHost(database.db, database.seal)
const send = (host: TestHost, sent: ScheduleFire) => fire(database.db, host, sent)
const ordersOf = async (host: TestHost) =>
  (await nextOrders(database.db, database.seal, host.sender, nothingSent())).filter(
    ({ order }) => order === 'command.run' || order === 'command.cancel',
  )
const accept = (host: TestHost, scheduleId: string, slot: string) =>
  acceptSlot(database.db, host, scheduleId, slot)
const succeed = (host: TestHost, scheduleId: string, slot: string) =>
  finishSlot(database.db, host, scheduleId, slot)

test('a slot a host ran by itself is recorded once, never ordered and never expired', async () => {
  const host = await newHost()
  const scheduleId = await planOn(database.db, host)
  const sent = fireOf(host, scheduleId, hoursAgo(0), [host.repositoryId])
  const answer = await send(host, sent)
  expect(answer).toMatchObject([{ decision: 'queued' }])
  expect(await send(host, sent)).toEqual(answer)
  expect(await rowsOf(database.db, scheduleId)).toMatchObject([
    { status: 'queued', decidedBy: 'agent', expiresAt: null },
  ])
  expect(await ordersOf(host)).toEqual([])
  expect((await accept(host, scheduleId, hoursAgo(0))).proceed).toBe(true)
  await succeed(host, scheduleId, hoursAgo(0))
  expect(await viewJob(database.db, idOf(host, scheduleId, hoursAgo(0)))).toMatchObject({
    status: 'succeeded',
    decidedBy: 'agent',
    scheduleName: 'hourly',
  })
})

test('a slot a host ran by itself is its own even when the schedule was paused or deleted meanwhile', async () => {
  const host = await newHost()
  const scheduleId = await planOn(database.db, host)
  await setScheduleEnabled(database.db, { scheduleId, version: 1, enabled: false })
  await send(host, fireOf(host, scheduleId, hoursAgo(1), [host.repositoryId]))
  await removeSchedule(database.db, { scheduleId, version: 2 })
  await send(host, fireOf(host, scheduleId, hoursAgo(0), [host.repositoryId]))
  for (const hours of [1, 0]) {
    expect((await accept(host, scheduleId, hoursAgo(hours))).proceed).toBe(true)
    await succeed(host, scheduleId, hoursAgo(hours))
  }
  expect((await rowsOf(database.db, scheduleId)).map(({ status }) => status)).toEqual([
    'succeeded',
    'succeeded',
  ])
})

test('a host that runs a slot by itself takes the job over that the server had queued, and the order is not said again', async () => {
  const host = await newHost()
  const scheduleId = await planOn(database.db, host)
  const slot = hoursAgo(0)
  await send(host, fireOf(host, scheduleId, slot))
  await send(host, fireOf(host, scheduleId, slot, [host.repositoryId]))
  expect(await ordersOf(host)).toEqual([])
  // The fire that was answered first comes once more.
  expect(await send(host, fireOf(host, scheduleId, slot))).toMatchObject([{ decision: 'duplicate' }])
  expect(await rowsOf(database.db, scheduleId)).toMatchObject([{ status: 'queued', decidedBy: 'agent' }])
})

test('a slot a host runs by itself runs although an older answer had skipped it', async () => {
  const host = await newHost()
  const scheduleId = await planOn(database.db, host)
  await send(host, fireOf(host, scheduleId, hoursAgo(0)))
  await send(host, fireOf(host, scheduleId, hoursAgo(1)))
  await send(host, fireOf(host, scheduleId, hoursAgo(1), [host.repositoryId]))
  expect((await accept(host, scheduleId, hoursAgo(1))).proceed).toBe(true)
})

test('a slot a host runs by itself is lost for now when the host no longer knows of it, or stays silent', async () => {
  const host = await newHost()
  const scheduleId = await planOn(database.db, host)
  for (const hours of [1, 0]) await send(host, fireOf(host, scheduleId, hoursAgo(hours), [host.repositoryId]))
  const knownJobs = [{ jobId: idOf(host, scheduleId, hoursAgo(0)), status: 'accepted' as const }]
  await greetAgent(database.db, host.sender, helloOf({ knownJobs }), {
    serverVersion: '0.1.0',
    timing,
    log: quiet,
  })
  const statuses = async () => (await rowsOf(database.db, scheduleId)).map(({ status }) => status)
  expect(await statuses()).toEqual(['lost', 'accepted'])
  await database.db
    .update(hosts)
    .set({ online: false, lastSeenAt: new Date(Date.now() - 2 * timing.lostAfter) })
    .where(eq(hosts.id, host.hostId))
  await loseSilentJobs(database.db, timing.lostAfter)
  expect(await statuses()).toEqual(['lost', 'lost'])
  await succeed(host, scheduleId, hoursAgo(0))
  expect(await statuses()).toEqual(['lost', 'succeeded'])
})

test('the job of a slot a host ran by itself may be told of before the fire', async () => {
  const host = await newHost()
  const scheduleId = await planOn(database.db, host)
  await succeed(host, scheduleId, hoursAgo(0))
  await send(host, fireOf(host, scheduleId, hoursAgo(0), [host.repositoryId]))
  expect(await rowsOf(database.db, scheduleId)).toMatchObject([
    { status: 'succeeded', decidedBy: 'agent', reported: true },
  ])
})

test('a slot of a schedule nobody here knows becomes a row with the first fact of its job', async () => {
  const host = await newHost()
  const scheduleId = newId()
  expect(await send(host, fireOf(host, scheduleId, hoursAgo(0), [host.repositoryId]))).toMatchObject([
    { decision: 'queued' },
  ])
  await succeed(host, scheduleId, hoursAgo(0))
  expect(await rowsOf(database.db, scheduleId)).toMatchObject([{ status: 'succeeded', kind: 'backup' }])
})
