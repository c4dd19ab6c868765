// The server expects every slot: a silent host's slots count as missed, each once, whoever looks.
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { timing } from '@restic-manager/contract/timing'
import { hosts, jobs, schedules } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost, repositoryOf } from '../testing-fleet.ts'
import { applySet, fire, fireOf, hoursAgo, planOn, rowsOf } from '../testing-schedules.ts'
import { expectDueSlots, expectSlots } from './expectations.ts'
import { viewJob } from './job-views.ts'
import { createRepository } from './repositories.ts'
import { viewSchedule } from './schedule-views.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const planned = async (since: string, over: Parameters<typeof planOn>[2] = {}) => {
  const host = await makeHost(database.db, database.seal)
  const scheduleId = await planOn(database.db, host, { since, ...over })
  await applySet(database.db, host, since)
  return { host, scheduleId }
}
const expectAt = (now: string, minutes: number) =>
  expectDueSlots(database.db, timing, new Date(Date.parse(now) + minutes * 60_000))
const slotsOf = async (scheduleId: string) =>
  (await rowsOf(database.db, scheduleId)).map(row => row.scheduledFor?.toISOString())

test('a slot counts as missed when its lateness and the grace are over, and not before', async () => {
  const { host, scheduleId } = await planned(hoursAgo(2))
  await expectAt(hoursAgo(1), 14)
  expect(await slotsOf(scheduleId)).toEqual([])
  await expectAt(hoursAgo(1), 16)
  expect(await slotsOf(scheduleId)).toEqual([hoursAgo(1)])
  const [row] = await rowsOf(database.db, scheduleId)
  expect(await viewJob(database.db, row?.id ?? '')).toMatchObject({
    hostId: host.hostId,
    status: 'missed',
    provisional: true,
    reason: 'not_reported',
    scheduledFor: new Date(hoursAgo(1)),
    slotCount: 1,
  })
})

test('the spread of a host is waited for as well', async () => {
  const { scheduleId } = await planned(hoursAgo(2), { jitterSeconds: 20 * 60 })
  await expectAt(hoursAgo(1), 34)
  expect(await slotsOf(scheduleId)).toEqual([])
  await expectAt(hoursAgo(1), 36)
  expect(await slotsOf(scheduleId)).toEqual([hoursAgo(1)])
})

test('a host that is silent for days misses every slot, on every repository, whoever looks and how often', async () => {
  const host = await makeHost(database.db, database.seal)
  const more = await createRepository(database.db, database.seal, repositoryOf({ hostIds: [host.hostId] }))
  const repositoryIds = [host.repositoryId, more.repositoryId]
  const scheduleId = await planOn(database.db, host, { since: hoursAgo(72), repositoryIds })
  await applySet(database.db, host, hoursAgo(72))
  await database.db.update(hosts).set({ online: false }).where(eq(hosts.id, host.hostId))
  await Promise.all([expectAt(hoursAgo(0), 16), expectAt(hoursAgo(0), 16), expectAt(hoursAgo(0), 16)])
  await expectAt(hoursAgo(0), 17)
  expect(await slotsOf(scheduleId)).toHaveLength(2 * 72)
})

test('a slot that somebody has told of is not missed', async () => {
  const { host, scheduleId } = await planned(hoursAgo(4))
  await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(2)))
  await expectAt(hoursAgo(1), 16)
  expect((await rowsOf(database.db, scheduleId)).map(({ status }) => status)).toEqual([
    'missed',
    'queued',
    'missed',
  ])
})

test('a host that ran a slot by itself spoke of all repositories it knew', async () => {
  const { host, scheduleId } = await planned(hoursAgo(3))
  const more = await createRepository(database.db, database.seal, repositoryOf({ hostIds: [host.hostId] }))
  await database.db
    .update(schedules)
    .set({ repositoryIds: [host.repositoryId, more.repositoryId] })
    .where(eq(schedules.id, scheduleId))
  await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(2), [host.repositoryId]))
  await expectAt(hoursAgo(2), 16)
  expect(await rowsOf(database.db, scheduleId)).toHaveLength(1)
  await expectAt(hoursAgo(1), 16)
  expect(await rowsOf(database.db, scheduleId)).toHaveLength(3)
  await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(1), [host.repositoryId]))
  expect(await rowsOf(database.db, scheduleId)).toHaveLength(2)
})

test('a schedule that nobody acked, a manual one and a paused one have no slots', async () => {
  const host = await makeHost(database.db, database.seal)
  const ids = [
    await planOn(database.db, host, { since: hoursAgo(5), enabled: false }),
    await planOn(database.db, host, { since: hoursAgo(5), manual: true, cron: undefined }),
  ]
  await applySet(database.db, host, hoursAgo(5))
  ids.push(await planOn(database.db, host, { since: hoursAgo(5) }))
  await expectAt(hoursAgo(0), 16)
  for (const id of ids) expect(await slotsOf(id)).toEqual([])
})

test('a long backlog is worked off in bounded steps', async () => {
  const { scheduleId } = await planned(hoursAgo(24), { cron: '* * * * *' })
  const through = new Date(hoursAgo(12))
  expect(await database.db.transaction(tx => expectSlots(tx, scheduleId, through))).toBe(false)
  expect(await slotsOf(scheduleId)).toHaveLength(500)
  expect(await database.db.transaction(tx => expectSlots(tx, scheduleId, through))).toBe(true)
  expect(await slotsOf(scheduleId)).toHaveLength(12 * 60)
})

test('looking costs nothing between two slots: the row is read again when the next one is due', async () => {
  const fresh = await testDatabase()
  const host = await makeHost(fresh.db, fresh.seal)
  const scheduleId = await planOn(fresh.db, host, { since: hoursAgo(3), cron: '0 0 1 1 *' })
  await applySet(fresh.db, host, hoursAgo(3))
  const look = () => expectDueSlots(fresh.db, timing, new Date(hoursAgo(0)))
  expect([await look(), await look()]).toEqual([1, 0])
  expect(await rowsOf(fresh.db, scheduleId)).toEqual([])
  await fresh.close()
})

test('a timetable this machine cannot count by stops no other', async () => {
  const [broken, good] = [await planned(hoursAgo(3)), await planned(hoursAgo(2))]
  await database.db
    .update(schedules)
    .set({ countedTimeZone: 'Mars/Olympus', timeZone: 'Mars/Olympus' })
    .where(eq(schedules.id, broken.scheduleId))
  await expectAt(hoursAgo(1), 16)
  expect(await slotsOf(good.scheduleId)).toEqual([hoursAgo(1)])
  expect(await slotsOf(broken.scheduleId)).toEqual([])
  const shown = await viewSchedule(database.db, broken.scheduleId, timing)
  expect(shown).toMatchObject({ nextRunAt: null, overdueSince: null })
})

test('what is due is found through the index for it', async () => {
  await database.db
    .execute(sql`insert into schedules (id, host_id, name, kind, repository_ids, enabled, manual, cron, time_zone,
      definition, counted_cron, counted_time_zone, counted_from, expected_through)
    select gen_random_uuid(), (select id from hosts limit 1), 'many', 'backup', '{}', true, false, '0 0 * * *', 'UTC',
      '{"jitterSeconds": 0}', '0 0 * * *', 'UTC', now(), now() + n * interval '1 minute' from generate_series(1, 5000) n`)
  await database.db.execute(sql`analyze schedules`)
  const plan = await database.db.execute<{ 'QUERY PLAN': string }>(sql`explain select id from schedules
    where counted_cron is not null and expected_through < now() - interval '15 minutes' order by expected_through limit 200`)
  expect(plan.map(line => line['QUERY PLAN']).join('\n')).toContain('schedules_counted')
})

test('a slot is found missed only once although its job has come and gone', async () => {
  const { host, scheduleId } = await planned(hoursAgo(3))
  await expectAt(hoursAgo(2), 16)
  await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(2), [host.repositoryId]))
  await database.db
    .update(jobs)
    .set({ status: 'succeeded', reported: true })
    .where(eq(jobs.scheduleId, scheduleId))
  await expectAt(hoursAgo(2), 30)
  expect(await rowsOf(database.db, scheduleId)).toMatchObject([{ status: 'succeeded' }])
})
