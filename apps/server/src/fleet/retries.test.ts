// Trying again: by the rule of a schedule as it is now, or because an operator asks. Each attempt is a job of its own.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import type { ScheduleDraft } from '@restic-manager/contract/schedule'
import { retryJobId, slotJobId } from '@restic-manager/contract/slots'
import { jobs, schedules } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { untilOneWaits } from '../testing-database.ts'
import { asAnna, makeHost, type TestHost } from '../testing-fleet.ts'
import { accept, end, makeVault, ordersOf, rowOf } from '../testing-maintenance.ts'
import { applySet, fire, fireOf, hoursAgo, planOn, rowsOf } from '../testing-schedules.ts'
import { answerCommand } from './job-reports.ts'
import { runJob } from './jobs.ts'
import { retryJob } from './retries.ts'
import { removeSchedule, setScheduleEnabled } from './schedules.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const slot = hoursAgo(1)
const retry = { count: 2, delaySeconds: 0 }

/** A host whose schedule has fired once; `failed` reports the end of one of its jobs. */
async function fired(over: Partial<ScheduleDraft> = { retry }) {
  const { db } = database
  const host = await makeHost(db, database.seal)
  const scheduleId = await planOn(db, host, { since: hoursAgo(5), ...over })
  await applySet(db, host)
  await fire(db, host, fireOf(host, scheduleId, slot))
  const jobId = slotJobId(scheduleId, slot, host.repositoryId)
  await accept(db, host, jobId)
  const names = { scheduleId, scheduledAt: slot }
  return {
    host,
    scheduleId,
    jobId,
    fail: (id: string, reason = 'unreachable', finishedAt = new Date().toISOString()) =>
      end(db, host, id, 'failed', {
        ...names,
        reason,
        finishedAt,
        ...(id === jobId ? {} : { retryOf: jobId }),
      }),
  }
}
const attemptsOf = async (scheduleId: string) =>
  (await rowsOf(database.db, scheduleId)).filter(row => row.retryOf !== null).map(row => row.id)
const runsOf = async (host: TestHost) =>
  (await ordersOf(database.db, database.seal, host)).filter(order => order.order === 'command.run')

describe('the rule of a schedule', () => {
  test('makes new jobs with derived ids, as often as it says, told with what they try again', async () => {
    const { host, scheduleId, jobId, fail } = await fired()
    const [first, second] = [retryJobId(jobId, 1), retryJobId(jobId, 2)]
    await fail(jobId)
    expect(await runsOf(host)).toMatchObject([
      { jobId: first, retryOf: jobId, scheduleId, scheduledAt: slot, spec: { paths: ['/srv'] } },
    ])
    await accept(database.db, host, first)
    await fail(first)
    expect(await rowOf(database.db, second)).toMatchObject({ retryOf: jobId, attempt: 2 })
    await accept(database.db, host, second)
    await fail(second)
    expect((await attemptsOf(scheduleId)).toSorted()).toEqual([first, second].toSorted())
  })

  test('counts its delay from the end of the job', async () => {
    const { host, jobId, fail } = await fired({ retry: { count: 1, delaySeconds: 600 } })
    const finishedAt = new Date(Date.now() - 60_000)
    await fail(jobId, 'unreachable', finishedAt.toISOString())
    expect(await rowOf(database.db, retryJobId(jobId, 1))).toMatchObject({
      notBefore: new Date(finishedAt.getTime() + 600_000),
      releasedAt: null,
    })
    expect(await runsOf(host)).toEqual([])
  })

  test('makes none the second time the same end is told', async () => {
    const { host, scheduleId, jobId } = await fired()
    const finished = {
      ...host.fact(),
      status: 'failed' as const,
      finishedAt: new Date().toISOString(),
      scheduleId,
      scheduledAt: slot,
    }
    for (let times = 0; times < 2; times += 1) await end(database.db, host, jobId, 'failed', finished)
    expect(await attemptsOf(scheduleId)).toHaveLength(1)
  })

  test.each(['wrong_password', 'repository_missing', 'refused_by_policy', 'superseded', 'nothing_kept'])(
    'is not asked after %s: that gets no better by itself',
    async reason => {
      const { scheduleId, jobId, fail } = await fired()
      await fail(jobId, reason)
      expect(await attemptsOf(scheduleId)).toEqual([])
    },
  )

  test('is asked after a hook that failed, and after an order that was turned down for a while', async () => {
    const { scheduleId, jobId, fail } = await fired()
    await fail(jobId, 'hook_failed')
    expect(await attemptsOf(scheduleId)).toHaveLength(1)
    const { host, ...other } = await fired()
    await database.db.update(jobs).set({ status: 'queued', acceptedAt: null }).where(eq(jobs.id, other.jobId))
    await answerCommand(database.db, host.sender, {
      ...host.fact('first'),
      jobId: other.jobId,
      kind: 'backup',
      repositoryId: host.repositoryId,
      scheduleId: other.scheduleId,
      scheduledAt: slot,
      accepted: false,
      reason: 'permission',
    })
    expect(await attemptsOf(other.scheduleId)).toHaveLength(1)
  })

  test('is not asked when the host has told its slot as not run: the late order is skipped, and nothing failed', async () => {
    const { host, scheduleId, jobId } = await fired()
    await database.db.update(jobs).set({ status: 'queued', acceptedAt: null }).where(eq(jobs.id, jobId))
    await answerCommand(database.db, host.sender, {
      ...host.fact('first'),
      jobId,
      kind: 'backup',
      repositoryId: host.repositoryId,
      scheduleId,
      scheduledAt: slot,
      accepted: false,
      reason: 'overlap',
    })
    const [row] = await database.db.select().from(jobs).where(eq(jobs.id, jobId))
    expect(row).toMatchObject({ status: 'skipped', reason: 'overlap' })
    expect(await attemptsOf(scheduleId)).toEqual([])
  })

  test('is that of now: none once it is paused, deleted, or no longer on the repository', async () => {
    const paused = await fired()
    await setScheduleEnabled(database.db, { scheduleId: paused.scheduleId, version: 1, enabled: false })
    const deleted = await fired()
    await removeSchedule(database.db, { scheduleId: deleted.scheduleId, version: 1 })
    const moved = await fired()
    await database.db
      .update(schedules)
      .set({ repositoryIds: [newId()] })
      .where(eq(schedules.id, moved.scheduleId))
    for (const { scheduleId, jobId, fail } of [paused, deleted, moved]) {
      await fail(jobId)
      expect(await attemptsOf(scheduleId)).toEqual([])
    }
  })

  test('makes none once a newer slot has a job', async () => {
    const { host, scheduleId, jobId, fail } = await fired()
    await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(0)))
    await fail(jobId)
    expect(await attemptsOf(scheduleId)).toEqual([])
  })

  test('makes none for a restore point with holes, and none for a cancel', async () => {
    const { host, scheduleId, jobId } = await fired()
    const other = await fired()
    await end(database.db, host, jobId, 'incomplete', { scheduleId, scheduledAt: slot })
    await end(database.db, other.host, other.jobId, 'cancelled', {
      scheduleId: other.scheduleId,
      scheduledAt: slot,
    })
    expect(await attemptsOf(scheduleId)).toEqual([])
    expect(await attemptsOf(other.scheduleId)).toEqual([])
  })

  test('another host cannot make jobs by naming it', async () => {
    const { scheduleId } = await fired()
    const stranger = await makeHost(database.db, database.seal)
    const { jobId } = await stranger.backUp()
    await database.db.update(jobs).set({ scheduleId }).where(eq(jobs.id, jobId))
    await end(database.db, stranger, jobId, 'failed')
    expect(await attemptsOf(scheduleId)).toEqual([])
  })

  test('of maintenance goes to the maintenance host again', async () => {
    const { db } = database
    const { one, keeper } = await makeVault(db, database.seal)
    const scheduleId = await planOn(db, one, { kind: 'prune', paths: undefined, retry, since: hoursAgo(5) })
    await applySet(db, one)
    expect(await fire(db, one, fireOf(one, scheduleId, slot))).toMatchObject([{ decision: 'delegated' }])
    const jobId = slotJobId(scheduleId, slot, one.repositoryId)
    await accept(db, keeper, jobId)
    await end(db, keeper, jobId, 'failed', { scheduleId, scheduledAt: slot })
    expect(await rowOf(db, retryJobId(jobId, 1))).toMatchObject({
      hostId: keeper.hostId,
      forHostId: one.hostId,
      elevated: true,
    })
  })
})

describe('an operator', () => {
  const again = (jobId: string, requestId = newId()) => retryJob(database.db, { jobId, requestId }, asAnna)

  test('runs an ended job again, and a repeat of the request starts nothing', async () => {
    const { host, scheduleId, jobId, fail } = await fired({})
    await fail(jobId, 'wrong_password')
    const requestId = newId()
    const { jobId: next } = await again(jobId, requestId)
    expect(await again(jobId, requestId)).toEqual({ jobId: next })
    expect(await rowOf(database.db, next)).toMatchObject({
      retryOf: jobId,
      attempt: 1,
      scheduleId,
      scheduledFor: null,
      requestedBy: 'anna@example.com',
      spec: { paths: ['/srv'] },
    })
    await accept(database.db, host, next)
    await end(database.db, host, next, 'failed', { scheduleId, retryOf: jobId })
    expect(await rowOf(database.db, (await again(next)).jobId)).toMatchObject({ retryOf: jobId, attempt: 2 })
    await expect(again(next, requestId)).resolves.toEqual({ jobId: next })
  })

  test('who asks many times at once gets as many attempts as requests', async () => {
    const { jobId, fail } = await fired({})
    await fail(jobId)
    const requests = Array.from({ length: 4 }, () => newId())
    const answers = await Promise.all([...requests, ...requests].map(request => again(jobId, request)))
    expect(new Set(answers.map(answer => answer.jobId)).size).toBe(4)
  })

  test('cannot run again what has not ended, nor what never was, nor under the id of another request', async () => {
    const { host, jobId, fail } = await fired({})
    await expect(again(jobId)).rejects.toMatchObject({ code: 'job_not_ended' })
    await expect(again(newId())).rejects.toMatchObject({ code: 'job_not_found' })
    await fail(jobId)
    const { jobId: other } = await host.backUp()
    const { requestId } = await rowOf(database.db, other)
    await expect(again(jobId, requestId ?? '')).rejects.toMatchObject({ code: 'request_reused' })
  })

  test('is refused, and waits for nothing, when another job is begun by the same request at this moment', async () => {
    const { db } = database
    const { host, jobId, fail } = await fired({})
    await fail(jobId)
    const requestId = newId()
    const { hostId, repositoryId } = await makeHost(db, database.seal)
    const asked = await db.transaction(async tx => {
      await runJob(tx, { requestId, hostId, repositoryId, kind: 'probe', spec: {} }, asAnna)
      const asking = Promise.allSettled([again(jobId, requestId)])
      await untilOneWaits(db)
      return { asking }
    })
    expect(await asked.asking).toMatchObject([{ status: 'rejected', reason: { code: 'request_reused' } }])
    expect(await runsOf(host)).toEqual([])
  })

  test('runs again what only its host knew, as its schedule says', async () => {
    const { jobId, fail } = await fired({})
    await fail(jobId)
    await database.db
      .update(jobs)
      .set({ spec: {} as never })
      .where(eq(jobs.id, jobId))
    expect(await rowOf(database.db, (await again(jobId)).jobId)).toMatchObject({ spec: { paths: ['/srv'] } })
  })
})
