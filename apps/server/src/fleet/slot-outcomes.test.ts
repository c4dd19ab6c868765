// Every slot and repository has one outcome: also where what a host tells of a slot meets what was told of it before.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { slotJobId } from '@restic-manager/contract/slots'
import { timing } from '@restic-manager/contract/timing'
import { jobs, schedules } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost } from '../testing-fleet.ts'
import {
  applySet,
  finishSlot,
  fire,
  fireOf,
  headerOf,
  hoursAgo,
  idOf,
  planOn,
  rowsOf,
  tellNotRun,
} from '../testing-schedules.ts'
import { expectDueSlots } from './expectations.ts'
import { answerCommand } from './job-reports.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const planned = async (since: string) => {
  const host = await makeHost(database.db, database.seal)
  const scheduleId = await planOn(database.db, host, { since })
  await applySet(database.db, host, since)
  return { host, scheduleId }
}

/** Which outcomes a slot has: of its own, or by a range that it lies in. */
const outcomesOf = async (scheduleId: string, slot: string) =>
  (await rowsOf(database.db, scheduleId))
    .filter(({ notRunFrom, scheduledFor }) => {
      const at = new Date(slot)
      return scheduledFor !== null && (notRunFrom ?? scheduledFor) <= at && at <= scheduledFor
    })
    .map(({ status }) => status)

test('a late order for a slot inside a range that did not run leaves no second outcome when it is turned down', async () => {
  const { host, scheduleId } = await planned(hoursAgo(9))
  await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(5)))
  await tellNotRun(database.db, host, { scheduleId, from: hoursAgo(5), to: hoursAgo(2), count: 4 })
  const refusal = {
    ...host.fact('first'),
    ...headerOf(host, scheduleId, hoursAgo(5)),
    accepted: false,
    reason: 'host_was_off',
  }
  expect(await answerCommand(database.db, host.sender, refusal)).toMatchObject({ proceed: false })
  expect(await outcomesOf(scheduleId, hoursAgo(5))).toEqual(['missed'])
})

test('a late cancel for a slot inside a range that did not run leaves no second outcome', async () => {
  const { host, scheduleId } = await planned(hoursAgo(9))
  for (const hours of [5, 1]) await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(hours)))
  await tellNotRun(database.db, host, { scheduleId, from: hoursAgo(5), to: hoursAgo(2), count: 4 })
  const cancelled = { status: 'cancelled', reason: 'cancelled_by_operator' } as const
  await finishSlot(database.db, host, scheduleId, hoursAgo(5), cancelled)
  expect(await outcomesOf(scheduleId, hoursAgo(5))).toEqual(['missed'])
})

test('what really ran is kept, also where its host had told that it did not run', async () => {
  const { host, scheduleId } = await planned(hoursAgo(9))
  await tellNotRun(database.db, host, { scheduleId, from: hoursAgo(5), to: hoursAgo(2), count: 4 })
  await finishSlot(database.db, host, scheduleId, hoursAgo(4))
  expect(await outcomesOf(scheduleId, hoursAgo(4))).toContain('succeeded')
})

test('a range whose newest slot ended otherwise takes no outcome from the others', async () => {
  const { host, scheduleId } = await planned(hoursAgo(9))
  await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(3)))
  const newest = eq(jobs.id, idOf(host, scheduleId, hoursAgo(3)))
  await database.db.update(jobs).set({ status: 'expired', reason: 'not_claimed' }).where(newest)
  await expectDueSlots(database.db, timing)
  await tellNotRun(database.db, host, { scheduleId, from: hoursAgo(6), to: hoursAgo(3), count: 4 })
  for (const hours of [6, 5, 4]) expect(await outcomesOf(scheduleId, hoursAgo(hours))).toEqual(['missed'])
  expect(await outcomesOf(scheduleId, hoursAgo(3))).toEqual(['expired'])
})

test('a repository that was added after a slot was decided never had that slot', async () => {
  const { host, scheduleId } = await planned(hoursAgo(2))
  await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(1)))
  const added = newId()
  const repositoryIds = [host.repositoryId, added]
  await database.db.update(schedules).set({ repositoryIds }).where(eq(schedules.id, scheduleId))
  await expectDueSlots(database.db, timing, new Date(Date.parse(hoursAgo(1)) + 3_000_000))
  expect((await rowsOf(database.db, scheduleId)).map(({ id }) => id)).toEqual([
    slotJobId(scheduleId, hoursAgo(1), host.repositoryId),
  ])
})
