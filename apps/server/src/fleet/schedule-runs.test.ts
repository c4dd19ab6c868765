// Run now and the preview of a retention: once for each request, on the host that may.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { timing } from '@restic-manager/contract/timing'
import { hosts, jobs, repositories } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost, repositoryOf, type TestHost } from '../testing-fleet.ts'
import { planOn, rowsOf } from '../testing-schedules.ts'
import { createRepository } from './repositories.ts'
import { previewRetention, runScheduleNow } from './schedule-runs.ts'
import { removeSchedule } from './schedules.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const newHost = () => makeHost(database.db, database.seal)
const asked = { requestedBy: 'anna@example.com', timing }
const run = (scheduleId: string, requestId = newId()) =>
  runScheduleNow(database.db, { requestId, scheduleId }, asked)

describe('run now', () => {
  test('makes one job for each repository, and a repeat makes none', async () => {
    const host = await newHost()
    const more = await createRepository(database.db, database.seal, repositoryOf({ hostIds: [host.hostId] }))
    const repositoryIds = [host.repositoryId, more.repositoryId]
    const scheduleId = await planOn(database.db, host, { repositoryIds, enabled: false })
    const requestId = newId()
    const [first, second] = await Promise.all([run(scheduleId, requestId), run(scheduleId, requestId)])
    expect(second).toEqual(first)
    expect(first.jobIds).toHaveLength(2)
    const rows = await rowsOf(database.db, scheduleId)
    expect(rows.map(({ id }) => id).toSorted()).toEqual(first.jobIds.toSorted())
    for (const row of rows)
      expect(row).toMatchObject({
        scheduledFor: null,
        requestedBy: 'anna@example.com',
        spec: { paths: ['/srv'] },
      })
    expect((await run(scheduleId)).jobIds).not.toEqual(first.jobIds)
  })

  test('is refused for a schedule that is gone, a quarantined host, and where nobody may', async () => {
    const host = await newHost()
    const prune = await planOn(database.db, host, { kind: 'prune' })
    await expect(run(prune)).rejects.toMatchObject({ code: 'not_maintenance_host' })
    const backup = await planOn(database.db, host)
    await database.db.update(hosts).set({ quarantinedAt: new Date() }).where(eq(hosts.id, host.hostId))
    await expect(run(backup)).rejects.toMatchObject({ code: 'host_quarantined' })
    await removeSchedule(database.db, { scheduleId: backup, version: 1 })
    await expect(run(backup)).rejects.toMatchObject({ code: 'schedule_not_found' })
    expect(await rowsOf(database.db, backup)).toEqual([])
  })

  test('is refused under the request of another schedule', async () => {
    const host = await newHost()
    const [one, other] = [await planOn(database.db, host), await planOn(database.db, host)]
    const requestId = newId()
    await run(one, requestId)
    await expect(run(other, requestId)).rejects.toMatchObject({ code: 'request_reused' })
  })

  test('a check that reads in turns reads the part that is next', async () => {
    const host = await newHost()
    const scheduleId = await planOn(database.db, host, { kind: 'check', options: { readRotation: 4 } })
    await run(scheduleId)
    expect(await rowsOf(database.db, scheduleId)).toMatchObject([{ spec: { readPart: { part: 1, of: 4 } } }])
  })
})

describe('the preview of a retention', () => {
  const preview = (host: TestHost, over: Partial<Parameters<typeof previewRetention>[1]>) =>
    previewRetention(
      database.db,
      {
        requestId: newId(),
        hostId: host.hostId,
        repositoryId: host.repositoryId,
        retention: { daily: 7 },
        scheduleIds: [],
        ...over,
      },
      asked,
    )

  test('is a dry run on the host itself, also where its credential may not delete', async () => {
    const host = await newHost()
    const scheduleId = await planOn(database.db, host)
    await database.db
      .update(repositories)
      .set({ mayDelete: false })
      .where(eq(repositories.id, host.repositoryId))
    const request = { requestId: newId(), scheduleIds: [scheduleId] }
    const { jobId } = await preview(host, request)
    expect(await preview(host, request)).toEqual({ jobId })
    const [job] = await database.db.select().from(jobs).where(eq(jobs.id, jobId))
    expect(job).toMatchObject({
      hostId: host.hostId,
      kind: 'forget',
      elevated: false,
      scheduleId: null,
      spec: { dryRun: true, retention: { daily: 7 }, targets: [{ hostId: host.hostId, scheduleId }] },
    })
  })

  test('is refused for what could not be saved either', async () => {
    const [host, other] = [await newHost(), await newHost()]
    const theirs = await planOn(database.db, other)
    await expect(preview(host, { retention: {}, scheduleIds: [newId()] })).rejects.toMatchObject({
      code: 'schedule_invalid',
      complaints: [{ code: 'missing_retention', field: 'retention' }],
    })
    await expect(preview(host, { scheduleIds: [theirs] })).rejects.toMatchObject({
      code: 'schedule_invalid',
      complaints: [{ code: 'missing_targets', field: 'forgets' }],
    })
    const ours = await planOn(database.db, host)
    await expect(
      preview(host, { scheduleIds: [ours], repositoryId: other.repositoryId }),
    ).rejects.toMatchObject({ code: 'not_maintenance_host' })
  })
})
