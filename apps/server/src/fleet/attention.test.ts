// Needs attention: what is wrong appears by itself with what clears it, stays acknowledged, goes when it is over, and comes back as new.
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import type { JobStatus } from '@restic-manager/contract/job'
import { until } from '@restic-manager/testkit/until'
import { startBus } from '../db/bus.ts'
import { hosts, jobs, repositories, schedules } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { applySet, planOn } from '../testing-schedules.ts'
import { makeHost, type TestHost } from '../testing-fleet.ts'
import { alertPage } from './alert-views.ts'
import { acknowledgeAlert } from './alerts.ts'
import { keepAttention } from './attention.ts'
import { hostPage } from './host-views.ts'
import { countOutcomes } from './outcomes.ts'
import { overviewOf } from './overview.ts'
import { readPlans } from './plans.ts'

let database: TestDatabase
let host: TestHost
let scheduleId: string
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

/** A host with an hourly backup, in step and online, that has just been backed up. */
beforeEach(async () => {
  await database.db.update(hosts).set({ removedAt: sql`now()` })
  host = await makeHost(database.db, database.seal)
  scheduleId = await planOn(database.db, host)
  await applySet(database.db, host)
  await change({ lastGoodBackupAt: new Date() })
})

const change = (set: Partial<typeof hosts.$inferInsert>) =>
  database.db.update(hosts).set(set).where(eq(hosts.id, host.hostId))

let minutes = 0
async function end(status: JobStatus, over: Partial<typeof jobs.$inferInsert> = {}) {
  const id = newId()
  minutes += 1
  const at = new Date(Date.now() - 3_600_000 + minutes * 1_000)
  await database.db.insert(jobs).values({
    ...{
      id,
      hostId: host.hostId,
      repositoryId: host.repositoryId,
      scheduleId,
      kind: 'backup',
      status,
      spec: {},
    },
    ...{ scheduledFor: at, createdAt: at, finishedAt: at, reported: true, ...over },
  })
  return id
}

async function open() {
  await countOutcomes(database.db)
  await readPlans(database.db)
  await keepAttention(database.db)
  return (await alertPage(database.db, undefined, { which: 'open', limit: 50 })).rows
}

test('a backup that fails is red with its cause and a retry, counts on, and goes with the next success', async () => {
  expect(await open()).toEqual([])
  await end('succeeded')
  await end('failed', { reason: 'unreachable' })
  const last = await end('failed', { reason: 'unreachable' })
  expect(await open()).toMatchObject([
    {
      ...{
        kind: 'backup_failed',
        severity: 'red',
        check: 'backup',
        count: 2,
        jobId: last,
        reason: 'unreachable',
      },
      ...{ sentence: 'The backup failed twice in a row.', clear: { do: 'retry', jobId: last } },
      ...{ host: { id: host.hostId }, scheduleId, lastGoodAt: expect.any(Date), objectiveMs: 7_200_000 },
    },
  ])
  await end('succeeded')
  expect(await open()).toEqual([])
})

test('who watches alerts hears of one that is raised, and that it is over', async () => {
  const bus = await startBus(database.sql)
  const heard: string[] = []
  const stopped = new AbortController()
  const hearing = (async () => {
    for await (const { changes } of bus.wakeups([{ topic: 'alert' }], stopped.signal))
      heard.push(...changes.map(({ id }) => id))
  })()
  await end('failed')
  const [{ id = '' } = {}] = await open()
  await until(() => heard.length === 1)
  await end('succeeded')
  await open()
  await until(() => heard.length === 2)
  expect(heard).toEqual([id, id])
  stopped.abort()
  await hearing
  await bus.close()
})

test('what is acknowledged stays so while it goes on, and comes back unacknowledged when it happens again', async () => {
  await end('failed', { reason: 'locked' })
  const [first] = await open()
  await acknowledgeAlert(database.db, first?.id ?? '', 'anna@example.com')
  await end('failed', { reason: 'locked' })
  expect(await open()).toMatchObject([{ id: first?.id, count: 2, acknowledgedBy: 'anna@example.com' }])
  await end('succeeded')
  expect(await open()).toEqual([])
  await end('failed', { reason: 'locked' })
  const [second] = await open()
  expect(second).toMatchObject({ kind: 'backup_failed', acknowledgedBy: null, count: 1 })
  expect(second?.id).not.toBe(first?.id)
})

test('a full store asks for a prune, unread files for a look at them', async () => {
  await end('failed', { reason: 'storage_full' })
  expect((await open()).map(({ clear }) => clear)).toEqual([
    { do: 'prune_now', repositoryId: host.repositoryId, hostId: host.hostId },
  ])
  const warnings = [{ code: 'unreadable', path: '/srv/a', message: 'no' }]
  const jobId = await end('incomplete', { warnings })
  expect(await open()).toMatchObject([
    {
      kind: 'backup_incomplete',
      severity: 'amber',
      sentence: '1 file could not be read: /srv/a',
      clear: { do: 'review_files', jobId },
    },
  ])
})

test('a host whose last good backup is too old is late, and silent rather than late once nothing is heard of it', async () => {
  const long = new Date(Date.now() - 3 * 3_600_000)
  await database.db.update(schedules).set({ updatedAt: long }).where(eq(schedules.id, scheduleId))
  await change({ lastGoodBackupAt: long })
  expect(await open()).toMatchObject([
    { kind: 'host_late', severity: 'red', clear: { do: 'run_now', scheduleId } },
  ])
  await change({ online: false, lastSeenAt: long })
  expect(await open()).toMatchObject([
    { kind: 'host_silent', clear: { do: 'reconnect', hostId: host.hostId } },
  ])
  await change({ pausedAt: new Date(), pausedBy: 'anna@example.com' })
  expect(await open()).toEqual([])
})

test('retention that fails is as loud as a backup, and a lock that is left over asks to be removed', async () => {
  const forgetId = await planOn(database.db, host, {
    kind: 'forget',
    retention: { daily: 7 },
    paths: undefined,
    forgets: [scheduleId],
  })
  await applySet(database.db, host)
  await end('failed', { kind: 'forget', scheduleId: forgetId, reason: 'locked' })
  const createdAt = new Date(Date.now() - 7_200_000).toISOString()
  await database.db
    .update(repositories)
    .set({ lockState: 'locked', locks: [{ hostname: 'gone-1', pid: 41, createdAt, exclusive: true }] })
    .where(eq(repositories.id, host.repositoryId))
  expect((await open()).map(({ kind, severity, clear }) => [kind, severity, clear?.do]).toSorted()).toEqual([
    ['repository_locked', 'red', 'remove_lock'],
    ['retention_failed', 'red', 'retry'],
  ])
  expect((await overviewOf(database.db, undefined)).fleet.retentionTroubled).toBe(1)
  await database.db.update(repositories).set({ locks: [] }).where(eq(repositories.id, host.repositoryId))
})

test('a plan that its host turns down asks for an edit', async () => {
  await database.db
    .update(schedules)
    .set({ rejectedCode: 'invalid_time_zone', rejectedReason: 'No such zone here.' })
    .where(eq(schedules.id, scheduleId))
  expect(await open()).toMatchObject([
    { kind: 'schedule_rejected', detail: 'No such zone here.', clear: { do: 'edit_schedule', scheduleId } },
  ])
})

test('each host of the overview is protected or not for one cause, and only what the scope sees is counted', async () => {
  await end('succeeded')
  await end('missed', { reason: 'host_was_off' })
  await open()
  const whole = await overviewOf(database.db, undefined)
  expect(whole.fleet).toMatchObject({
    total: 1,
    counts: { protected: 1 },
    planned: 1,
    withinObjective: 1,
    causes: [],
  })
  expect(whole.days.reduce((sum, day) => sum + day.succeeded, 0)).toBeGreaterThan(0)
  expect(whole.load.total).toBe(24)
  const other = await overviewOf(database.db, ['elsewhere'])
  expect(other).toMatchObject({
    fleet: { total: 0 },
    attention: { total: 0 },
    load: { total: 0 },
    storage: { repositoryCount: 0 },
  })
  expect(other.days.every(day => day.succeeded === 0)).toBe(true)
  await change({ lastGoodBackupAt: null, objectiveSince: new Date(0) })
  expect((await overviewOf(database.db, undefined)).fleet).toMatchObject({
    counts: { protected: 0, never: 1 },
    causes: [{ cause: 'never', count: 1, only: { id: host.hostId } }],
  })
})

test('a host in the list has its last days, its objective, since when it is late and its next run, and is found by late and tag', async () => {
  const long = new Date(Date.now() - 3 * 3_600_000)
  await database.db.update(schedules).set({ updatedAt: long }).where(eq(schedules.id, scheduleId))
  await change({ lastGoodBackupAt: long, tags: ['prod'] })
  await end('failed', { reason: 'unreachable' })
  await open()
  const list = (over: object) => hostPage(database.db, undefined, { limit: 10, sort: 'name', ...over })
  const { rows, counts } = await list({ state: 'late', tags: ['prod'] })
  expect(counts).toMatchObject({ all: 1, late: 1, online: 1 })
  expect(rows).toMatchObject([{ objectiveMs: 7_200_000, lateSince: new Date(long.getTime() + 7_200_000) }])
  expect(rows[0]?.days).toHaveLength(14)
  expect(rows[0]?.days.reduce((sum, day) => sum + day.failed, 0)).toBe(1)
  expect(rows[0]?.nextRunAt?.getTime()).toBe((Math.floor(Date.now() / 3_600_000) + 1) * 3_600_000)
  expect((await list({ tags: ['lab'] })).rows).toEqual([])
  await change({ lastGoodBackupAt: new Date() })
  expect((await list({ state: 'late' })).rows).toEqual([])
})
