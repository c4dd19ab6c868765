// Ranges of slots that did not run: one row for each repository, in the place of what was only guessed.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { slotJobId } from '@restic-manager/contract/slots'
import { timing } from '@restic-manager/contract/timing'
import { jobs } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost } from '../testing-fleet.ts'
import { applySet, fire, fireOf, hoursAgo, planOn, rowsOf, tellNotRun } from '../testing-schedules.ts'
import { expectDueSlots } from './expectations.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const newHost = () => makeHost(database.db, database.seal)
const planned = async (since: string) => {
  const host = await newHost()
  const scheduleId = await planOn(database.db, host, { since })
  await applySet(database.db, host, since)
  return { host, scheduleId }
}

test('a range replaces the slots that counted as missed, and says the same when it is delivered twice', async () => {
  const { host, scheduleId } = await planned(hoursAgo(9))
  await expectDueSlots(database.db, timing)
  expect((await rowsOf(database.db, scheduleId)).length).toBeGreaterThanOrEqual(7)
  const range = { scheduleId, from: hoursAgo(8), to: hoursAgo(2), count: 7 }
  await tellNotRun(database.db, host, range)
  await tellNotRun(database.db, host, range)
  const rows = await rowsOf(database.db, scheduleId)
  expect(
    rows.filter(row => row.scheduledFor !== null && row.scheduledFor <= new Date(hoursAgo(2))),
  ).toMatchObject([
    {
      id: slotJobId(scheduleId, hoursAgo(2), host.repositoryId),
      status: 'missed',
      reported: true,
      reason: 'host_was_off',
      notRunFrom: new Date(hoursAgo(8)),
      slotCount: 7,
    },
  ])
})

test('slots in a range are not expected again', async () => {
  const { host, scheduleId } = await planned(hoursAgo(9))
  await tellNotRun(database.db, host, { scheduleId, from: hoursAgo(8), to: hoursAgo(0), count: 9 })
  await expectDueSlots(database.db, timing)
  expect(await rowsOf(database.db, scheduleId)).toHaveLength(1)
  expect(await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(3)))).toMatchObject([
    { decision: 'skipped', reason: 'host_was_off' },
  ])
})

test('what ran inside a range, or under its newest slot, stays as it is', async () => {
  const { host, scheduleId } = await planned(hoursAgo(9))
  for (const hours of [5, 2])
    await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(hours), [host.repositoryId]))
  await database.db
    .update(jobs)
    .set({ status: 'succeeded', reported: true })
    .where(eq(jobs.scheduleId, scheduleId))
  await tellNotRun(database.db, host, { scheduleId, from: hoursAgo(8), to: hoursAgo(4), count: 5 })
  await tellNotRun(database.db, host, { scheduleId, from: hoursAgo(3), to: hoursAgo(2), count: 2 })
  expect((await rowsOf(database.db, scheduleId)).map(({ status }) => status)).toEqual([
    'succeeded',
    'missed',
    'succeeded',
  ])
})

test('a slot its host leaves goes out of the queue', async () => {
  const { host, scheduleId } = await planned(hoursAgo(9))
  await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(1)))
  const over = { outcome: 'skipped', reason: 'overlap' } as const
  await tellNotRun(database.db, host, { scheduleId, from: hoursAgo(1), to: hoursAgo(1), count: 1, ...over })
  expect(await rowsOf(database.db, scheduleId)).toMatchObject([
    { status: 'skipped', reason: 'overlap', reported: true, slotCount: 1 },
  ])
})

test('a schedule and a repository nobody here knows are kept as bare ids', async () => {
  const host = await newHost()
  const [scheduleId, repositoryId] = [newId(), newId()]
  const range = { scheduleId, from: hoursAgo(3), to: hoursAgo(1), count: 3, repositoryIds: [repositoryId] }
  await tellNotRun(database.db, host, range)
  expect(await rowsOf(database.db, scheduleId)).toMatchObject([{ repositoryId, status: 'missed' }])
})

test('what is no range is refused, and no count is larger than the minutes in it', async () => {
  const { host, scheduleId } = await planned(hoursAgo(9))
  const wrong = { scheduleId, from: hoursAgo(1), to: hoursAgo(2), count: 1 }
  await expect(tellNotRun(database.db, host, wrong)).rejects.toMatchObject({ code: 'bad_input' })
  await expect(
    tellNotRun(database.db, host, { ...wrong, to: '2026-11-23T07:00:01.000Z' }),
  ).rejects.toMatchObject({ code: 'bad_input' })
  await tellNotRun(database.db, host, { scheduleId, from: hoursAgo(2), to: hoursAgo(1), count: 9_999_999 })
  expect(await rowsOf(database.db, scheduleId)).toMatchObject([{ slotCount: 61 }])
})

test('nobody tells of the slots of another host', async () => {
  const { scheduleId } = await planned(hoursAgo(9))
  const liar = await newHost()
  await expect(
    tellNotRun(database.db, liar, { scheduleId, from: hoursAgo(8), to: hoursAgo(1), count: 8 }),
  ).rejects.toMatchObject({ code: 'schedule_not_found' })
  expect(await rowsOf(database.db, scheduleId)).toEqual([])
})
