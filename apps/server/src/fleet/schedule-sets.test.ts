// What a host is sent, what it acks, and from when each of its timetables counts.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Schedule, ScheduleSet } from '@restic-manager/contract/schedule'
import { newId } from '@restic-manager/contract/ids'
import { timing } from '@restic-manager/contract/timing'
import { schedules } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { connectMachine, helloOf, makeHost, quiet, type TestHost } from '../testing-fleet.ts'
import { applySet, backdate, hoursAgo, hourly, planOn, rowsOf } from '../testing-schedules.ts'
import { expectDueSlots } from './expectations.ts'
import { greetAgent } from './hello.ts'
import { viewHost } from './host-views.ts'
import { ackSchedules, scheduleSetFor } from './schedule-sets.ts'
import { viewSchedule } from './schedule-views.ts'
import { removeSchedule, setScheduleEnabled, updateSchedule } from './schedules.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const newHost = () => makeHost(database.db, database.seal)
const setFor = (host: TestHost) => scheduleSetFor(database.db, host.sender)
const view = (scheduleId: string) => viewSchedule(database.db, scheduleId, timing)
const rowOf = async (scheduleId: string) =>
  (await database.db.select().from(schedules).where(eq(schedules.id, scheduleId)))[0]
const slotsOf = async (scheduleId: string) =>
  (await rowsOf(database.db, scheduleId)).map(row => row.scheduledFor?.toISOString())

describe('the set', () => {
  test('holds every schedule in full, paused and manual ones too, and no deleted one', async () => {
    const host = await newHost()
    const empty = await setFor(host)
    expect(empty.schedules).toEqual([])
    const kept = await planOn(database.db, host, { excludes: ['*.tmp'], options: { nice: 10 } })
    const paused = await planOn(database.db, host, { enabled: false })
    const manual = await planOn(database.db, host, { manual: true, cron: undefined })
    const gone = await planOn(database.db, host)
    await removeSchedule(database.db, { scheduleId: gone, version: 1 })
    const set = ScheduleSet.parse(await setFor(host))
    expect(set.schedules.map(({ id }) => id)).toEqual([kept, paused, manual])
    expect(set.version).toBe(empty.version + 5)
    expect(set.configVersion).toBe((await viewHost(database.db, host.hostId)).configVersion)
    expect(Schedule.parse(set.schedules[0])).toEqual({
      id: kept,
      ...hourly([host.repositoryId], { excludes: ['*.tmp'], options: { nice: 10 } }),
    })
  })

  test('is told to no older session', async () => {
    const host = await newHost()
    await connectMachine(database.db, host.machine)
    const fenced = { code: 'session_fenced' }
    await expect(setFor(host)).rejects.toMatchObject(fenced)
    const ack = { version: 1, appliedAt: hoursAgo(0) }
    await expect(ackSchedules(database.db, host.sender, ack)).rejects.toMatchObject(fenced)
  })

  test('is numbered past what the host has applied, after an older dump', async () => {
    const host = await newHost()
    const hello = helloOf({ appliedScheduleVersion: 40, spoolEpoch: newId() })
    await greetAgent(database.db, host.sender, hello, { serverVersion: '0.1.0', timing, log: quiet })
    expect((await setFor(host)).version).toBe(41)
    expect(await viewHost(database.db, host.hostId)).toMatchObject({
      scheduleVersion: 41,
      appliedScheduleVersion: 40,
    })
  })
})

describe('the ack', () => {
  test('brings a schedule in sync; an edit makes it wait again, and the others not', async () => {
    const host = await newHost()
    const first = await planOn(database.db, host)
    expect(await view(first)).toMatchObject({ sync: 'waiting', waitingSince: expect.any(Date) })
    await applySet(database.db, host)
    expect(await view(first)).toMatchObject({ sync: 'in sync', waitingSince: null })
    const second = await planOn(database.db, host)
    expect(await view(first)).toMatchObject({ sync: 'in sync' })
    expect(await view(second)).toMatchObject({ sync: 'waiting' })
    await applySet(database.db, host)
    expect(await view(second)).toMatchObject({ sync: 'in sync' })
  })

  test('of a version that was edited since leaves the edited one waiting', async () => {
    const host = await newHost()
    const scheduleId = await planOn(database.db, host)
    const { version } = await setFor(host)
    await setScheduleEnabled(database.db, { scheduleId, version: 1, enabled: false })
    await ackSchedules(database.db, host.sender, { version, appliedAt: hoursAgo(0) })
    expect(await view(scheduleId)).toMatchObject({ sync: 'waiting' })
  })

  test('that comes after a later one takes nothing back', async () => {
    const host = await newHost()
    const first = await planOn(database.db, host)
    const { version } = await setFor(host)
    await planOn(database.db, host)
    await applySet(database.db, host)
    await ackSchedules(database.db, host.sender, { version, appliedAt: hoursAgo(1) })
    expect(await view(first)).toMatchObject({ sync: 'in sync' })
    expect(await rowOf(first)).toMatchObject({ countedCron: hourly([]).cron })
  })

  test('shows what the host turned down, with its reason, until it takes it', async () => {
    const host = await newHost()
    const [good, bad] = [await planOn(database.db, host), await planOn(database.db, host)]
    const rejected = [
      { scheduleId: bad, code: 'hooks_not_allowed', reason: 'No hooks here.' },
      { scheduleId: newId(), code: 'unsupported', reason: 'Who is that?' },
    ]
    for (let twice = 0; twice < 2; twice += 1) await applySet(database.db, host, hoursAgo(0), rejected)
    expect(await view(good)).toMatchObject({ sync: 'in sync', rejected: null })
    expect(await view(bad)).toMatchObject({
      sync: 'rejected',
      rejected: { code: 'hooks_not_allowed', reason: 'No hooks here.' },
      nextRunAt: null,
    })
    expect(await rowOf(bad)).toMatchObject({ countedCron: null })
    await applySet(database.db, host)
    expect(await view(bad)).toMatchObject({ sync: 'in sync', rejected: null })
    expect(await rowOf(bad)).toMatchObject({ countedCron: '0 * * * *' })
  })

  test('turns down no schedule of another host', async () => {
    const [host, other] = [await newHost(), await newHost()]
    const theirs = await planOn(database.db, other)
    await applySet(database.db, host, hoursAgo(0), [{ scheduleId: theirs, code: 'unsupported', reason: 'x' }])
    expect(await rowOf(theirs)).toMatchObject({ rejectedCode: null })
  })
})

describe('counting', () => {
  test('begins with the first ack, and an ack that changes nothing leaves it alone', async () => {
    const host = await newHost()
    const scheduleId = await planOn(database.db, host, { since: hoursAgo(9) })
    expect(await rowOf(scheduleId)).toMatchObject({ countedCron: null })
    await applySet(database.db, host, hoursAgo(8))
    await applySet(database.db, host, hoursAgo(2))
    const schedule = hourly([host.repositoryId], { name: 'another name', paths: ['/etc'] })
    await updateSchedule(database.db, { scheduleId, version: 1, schedule })
    await applySet(database.db, host, hoursAgo(1))
    expect(await rowOf(scheduleId)).toMatchObject({
      countedCron: '0 * * * *',
      countedTimeZone: 'UTC',
      countedFrom: new Date(hoursAgo(8)),
    })
  })

  test('goes by the old timetable until the new one is applied, however late that is', async () => {
    const host = await newHost()
    const scheduleId = await planOn(database.db, host, { since: hoursAgo(9) })
    await applySet(database.db, host, hoursAgo(9))
    const schedule = hourly([host.repositoryId], { cron: '30 * * * *' })
    await updateSchedule(database.db, { scheduleId, version: 1, schedule })
    await backdate(database.db, scheduleId, hoursAgo(6))
    await expectDueSlots(database.db, timing, new Date(hoursAgo(4)))
    expect(await slotsOf(scheduleId)).toEqual([8, 7, 6, 5].map(hoursAgo))
    await applySet(database.db, host, hoursAgo(3))
    expect(await slotsOf(scheduleId)).toEqual([8, 7, 6, 5, 4, 3].map(hoursAgo))
    await expectDueSlots(database.db, timing, new Date(hoursAgo(1)))
    const [, , , , , , ...later] = await slotsOf(scheduleId)
    expect(later).toEqual([3, 2].map(hours => hoursAgo(hours).replace(':00:00.', ':30:00.')))
  })

  test('takes back what was expected by the old timetable after the host had stopped counting by it', async () => {
    const host = await newHost()
    const scheduleId = await planOn(database.db, host, { since: hoursAgo(9) })
    await applySet(database.db, host, hoursAgo(9))
    await expectDueSlots(database.db, timing, new Date(hoursAgo(1)))
    const schedule = hourly([host.repositoryId], { cron: '30 * * * *' })
    await updateSchedule(database.db, { scheduleId, version: 1, schedule })
    await backdate(database.db, scheduleId, hoursAgo(6))
    await applySet(database.db, host, hoursAgo(5))
    expect(await slotsOf(scheduleId)).toEqual([8, 7, 6, 5].map(hoursAgo))
  })

  test.each([
    [
      'a pause',
      (scheduleId: string) => setScheduleEnabled(database.db, { scheduleId, version: 1, enabled: false }),
    ],
    ['a deletion', (scheduleId: string) => removeSchedule(database.db, { scheduleId, version: 1 })],
  ])('ends at the ack of %s', async (_, edit) => {
    const host = await newHost()
    const scheduleId = await planOn(database.db, host, { since: hoursAgo(9) })
    await applySet(database.db, host, hoursAgo(9))
    await edit(scheduleId)
    await backdate(database.db, scheduleId, hoursAgo(8))
    await expectDueSlots(database.db, timing, new Date(hoursAgo(6)))
    expect(await slotsOf(scheduleId)).toEqual([8, 7].map(hoursAgo))
    await applySet(database.db, host, hoursAgo(5))
    await expectDueSlots(database.db, timing, new Date(hoursAgo(0)))
    expect(await slotsOf(scheduleId)).toEqual([8, 7, 6, 5].map(hoursAgo))
    expect(await rowOf(scheduleId)).toMatchObject({ countedCron: null })
  })

  test('stops at the ack of a version that was edited since: by what the host counts is not known', async () => {
    const host = await newHost()
    const scheduleId = await planOn(database.db, host, { since: hoursAgo(9) })
    await applySet(database.db, host, hoursAgo(9))
    const edit = (version: number, cron: string) =>
      updateSchedule(database.db, { scheduleId, version, schedule: hourly([host.repositoryId], { cron }) })
    await edit(1, '15 * * * *')
    const { version } = await setFor(host)
    await edit(2, '30 * * * *')
    await backdate(database.db, scheduleId, hoursAgo(8))
    await ackSchedules(database.db, host.sender, { version, appliedAt: hoursAgo(7) })
    await expectDueSlots(database.db, timing, new Date(hoursAgo(2)))
    expect(await slotsOf(scheduleId)).toEqual([8, 7].map(hoursAgo))
    await applySet(database.db, host, hoursAgo(2))
    expect(await rowOf(scheduleId)).toMatchObject({
      countedCron: '30 * * * *',
      countedFrom: new Date(hoursAgo(2)),
    })
  })

  test('does not follow a clock into another century', async () => {
    const host = await newHost()
    const scheduleId = await planOn(database.db, host)
    await applySet(database.db, host, '9999-01-01T00:00:00.000Z')
    const soon = Date.now() + 25 * 3_600_000
    expect((await rowOf(scheduleId))?.countedFrom?.getTime()).toBeLessThan(soon)
    await setScheduleEnabled(database.db, { scheduleId, version: 1, enabled: false })
    await applySet(database.db, host, '9999-01-01T00:00:00.000Z')
    expect(await slotsOf(scheduleId)).toEqual([])
  })
})
