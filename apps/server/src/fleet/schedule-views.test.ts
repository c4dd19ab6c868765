// Schedules as operators see them: the next run, the last outcome, and whether one has failed to succeed for too long.
import { and, eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { jitterMs, slotJobId } from '@restic-manager/contract/slots'
import { timing } from '@restic-manager/contract/timing'
import { hosts, jobs, repositories } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost, repositoryOf, type TestHost } from '../testing-fleet.ts'
import { applySet, fire, fireOf, hoursAgo, planOn, tellNotRun } from '../testing-schedules.ts'
import { viewHost } from './host-views.ts'
import { jobPage } from './job-views.ts'
import { createRepository } from './repositories.ts'
import { listSchedules, viewSchedule } from './schedule-views.ts'
import { wholeFleet } from './scope.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const newHost = () => makeHost(database.db, database.seal)
const view = (scheduleId: string) => viewSchedule(database.db, scheduleId, timing)

/** The slot's job succeeded, ten minutes after the slot. */
async function succeed(host: TestHost, scheduleId: string, slot: string, repositoryId = host.repositoryId) {
  await fire(database.db, host, fireOf(host, scheduleId, slot))
  const finishedAt = new Date(Date.parse(slot) + 600_000)
  await database.db
    .update(jobs)
    .set({ status: 'succeeded', reported: true, finishedAt })
    .where(eq(jobs.id, slotJobId(scheduleId, slot, repositoryId)))
  return finishedAt
}

test('the next run is the next slot with the spread of this host; a paused or manual schedule has none', async () => {
  const host = await newHost()
  const scheduleId = await planOn(database.db, host, { jitterSeconds: 1_200 })
  const { nextRunAt } = await view(scheduleId)
  const spread = jitterMs(host.hostId, scheduleId, 1_200)
  expect(((nextRunAt?.getTime() ?? 0) - spread) % 3_600_000).toBe(0)
  expect(nextRunAt?.getTime()).toBeGreaterThan(Date.now() - 60_000)
  expect(nextRunAt?.getTime()).toBeLessThan(Date.now() + 3_600_000 + 60_000)
  expect(await view(await planOn(database.db, host, { enabled: false }))).toMatchObject({ nextRunAt: null })
  expect(await view(await planOn(database.db, host, { manual: true, cron: undefined }))).toMatchObject({
    nextRunAt: null,
    overdueSince: null,
  })
})

test('a schedule is overdue when two of its slots have passed without a success', async () => {
  const host = await newHost()
  const scheduleId = await planOn(database.db, host, { since: hoursAgo(9) })
  await applySet(database.db, host, hoursAgo(9))
  expect(await view(scheduleId)).toMatchObject({
    lastSucceededAt: null,
    overdueSince: new Date(hoursAgo(8)),
  })
  const finishedAt = await succeed(host, scheduleId, hoursAgo(4))
  expect(await view(scheduleId)).toMatchObject({
    lastSucceededAt: finishedAt,
    overdueSince: new Date(hoursAgo(3)),
  })
  await succeed(host, scheduleId, hoursAgo(1))
  expect(await view(scheduleId)).toMatchObject({ overdueSince: null, lastJob: { status: 'succeeded' } })
})

test('a success on one repository does not hide that another has none', async () => {
  const host = await newHost()
  const more = await createRepository(database.db, database.seal, repositoryOf({ hostIds: [host.hostId] }))
  const repositoryIds = [host.repositoryId, more.repositoryId]
  const scheduleId = await planOn(database.db, host, { since: hoursAgo(9), repositoryIds })
  await applySet(database.db, host, hoursAgo(9))
  await succeed(host, scheduleId, hoursAgo(1))
  expect(await view(scheduleId)).toMatchObject({
    lastSucceededAt: null,
    overdueSince: new Date(hoursAgo(8)),
    repositories: [{ id: host.repositoryId }, { id: more.repositoryId }],
  })
  const finishedAt = await succeed(host, scheduleId, hoursAgo(0), more.repositoryId)
  expect((await view(scheduleId)).lastSucceededAt?.getTime()).toBeLessThan(finishedAt.getTime())
})

test('the jobs of a slot stand in the order of its repositories, and a failure is not hidden by a success beside it', async () => {
  const host = await newHost()
  const others = await Promise.all(
    [1, 2, 3].map(async () => {
      const wanted = repositoryOf({ hostIds: [host.hostId] })
      return (await createRepository(database.db, database.seal, wanted)).repositoryId
    }),
  )
  const repositoryIds = [...others, host.repositoryId].toSorted().toReversed()
  const scheduleId = await planOn(database.db, host, { repositoryIds, since: hoursAgo(3) })
  for (const slot of [hoursAgo(2), hoursAgo(1)]) {
    await fire(database.db, host, fireOf(host, scheduleId, slot))
    const rows = await database.db
      .select()
      .from(jobs)
      .where(and(eq(jobs.scheduleId, scheduleId), eq(jobs.scheduledFor, new Date(slot))))
      .orderBy(jobs.createdAt, jobs.id)
    expect(rows.map(row => row.repositoryId)).toEqual(repositoryIds)
  }
  const idAt = (place: number) => slotJobId(scheduleId, hoursAgo(1), repositoryIds[place] ?? '')
  await database.db
    .update(jobs)
    .set({ status: 'succeeded', reported: true })
    .where(eq(jobs.scheduleId, scheduleId))
  await database.db
    .update(jobs)
    .set({ status: 'failed' })
    .where(eq(jobs.id, idAt(1)))
  expect((await view(scheduleId)).lastJob).toMatchObject({ id: idAt(1), status: 'failed' })
})

test('schedules are listed by name, of one host or on one repository', async () => {
  const [host, other] = [await newHost(), await newHost()]
  const b = await planOn(database.db, host, { name: 'b' })
  const a = await planOn(database.db, host, { name: 'a' })
  await planOn(database.db, other)
  const idsOf = async (request: { hostId?: string; repositoryId?: string }) =>
    (await listSchedules(database.db, wholeFleet, request, timing)).map(({ id }) => id)
  expect(await idsOf({ hostId: host.hostId })).toEqual([a, b])
  expect(await idsOf({ repositoryId: host.repositoryId })).toEqual([a, b])
  expect(await idsOf({ hostId: host.hostId, repositoryId: other.repositoryId })).toEqual([])
  expect((await idsOf({})).length).toBeGreaterThanOrEqual(3)
})

test('jobs say which schedule and slot they are for, and a range which slots it covers', async () => {
  const host = await newHost()
  const scheduleId = await planOn(database.db, host, { name: 'nightly' })
  await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(0)))
  await tellNotRun(database.db, host, { scheduleId, from: hoursAgo(5), to: hoursAgo(2), count: 4 })
  await host.backUp()
  const { rows } = await jobPage(database.db, wholeFleet, { scheduleId, limit: 10 })
  expect(rows).toMatchObject([
    { status: 'queued', scheduleName: 'nightly', scheduledFor: new Date(hoursAgo(0)), slotCount: 1 },
    {
      status: 'missed',
      reason: 'host_was_off',
      provisional: false,
      scheduledFor: new Date(hoursAgo(2)),
      notRunFrom: new Date(hoursAgo(5)),
      slotCount: 4,
    },
  ])
})

test('a job that another host runs names whom it serves, and one that waits names what for', async () => {
  const [host, maintainer] = [await newHost(), await newHost()]
  await database.db
    .update(repositories)
    .set({ maintenanceHostId: maintainer.hostId })
    .where(eq(repositories.id, host.repositoryId))
  const { jobId } = await host.backUp()
  const scheduleId = await planOn(database.db, host, { kind: 'prune' })
  await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(0)))
  const { rows } = await jobPage(database.db, wholeFleet, { scheduleId, limit: 10 })
  expect(rows).toMatchObject([
    {
      hostId: maintainer.hostId,
      forHostName: 'web-1',
      status: 'queued',
      waitsFor: { jobId, kind: 'backup', hostName: 'web-1' },
    },
  ])
})

test('a host shows its policy, its drift, and that there is a newer agent', async () => {
  const host = await newHost()
  await planOn(database.db, host)
  expect(await viewHost(database.db, host.hostId)).toMatchObject({
    policy: { hooks: 'off' },
    scheduleVersion: 2,
    appliedScheduleVersion: 0,
    updateAvailable: null,
  })
  await database.db
    .update(hosts)
    .set({ agentVersion: '0.0.9', policy: { hooks: 'nonsense' } })
    .where(eq(hosts.id, host.hostId))
  expect(await viewHost(database.db, host.hostId)).toMatchObject({
    policy: null,
    updateAvailable: expect.any(String),
  })
  await expect(view(newId())).rejects.toMatchObject({ code: 'schedule_not_found' })
})

test('the list keeps to one kind when it is named', async () => {
  const host = await newHost()
  const thinned = await planOn(database.db, host)
  const scheduleId = await planOn(database.db, host, {
    ...{ kind: 'forget', retention: { daily: 7 }, paths: undefined, forgets: [thinned] },
  })
  const kept = await listSchedules(database.db, wholeFleet, { hostId: host.hostId, kind: 'forget' }, timing)
  expect(kept.map(({ id }) => id)).toEqual([scheduleId])
})
