// Schedules as operators edit them: one version for every edit, nothing lost to a stale one, complaints by stable codes.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { Refusal } from '@restic-manager/contract/refusal'
import type { ScheduleDraft } from '@restic-manager/contract/schedule'
import { timing } from '@restic-manager/contract/timing'
import { hosts, repositories, schedules } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { untilOneWaits } from '../testing-database.ts'
import { makeHost, type TestHost } from '../testing-fleet.ts'
import { hourly, planOn } from '../testing-schedules.ts'
import { removeHost } from './hosts.ts'
import { removeRepository } from './repositories.ts'
import { listSchedules, viewSchedule } from './schedule-views.ts'
import { createSchedule, removeSchedule, setScheduleEnabled, updateSchedule } from './schedules.ts'
import { wholeFleet } from './scope.ts'

let database: TestDatabase
let host: TestHost
beforeAll(async () => {
  database = await testDatabase()
  host = await makeHost(database.db, database.seal)
})
afterAll(() => database.close())

const versionOf = async (hostId: string) =>
  (await database.db.select().from(hosts).where(eq(hosts.id, hostId)))[0]?.scheduleVersion ?? 0
const create = (schedule: ScheduleDraft, requestId = newId()) =>
  createSchedule(database.db, { requestId, hostId: host.hostId, schedule })
const mine = (over: Partial<ScheduleDraft> = {}) => hourly([host.repositoryId], over)
const view = (scheduleId: string) => viewSchedule(database.db, scheduleId, timing)

/** What is complained about, by field. */
async function complaintsOf(attempt: Promise<unknown>): Promise<Record<string, string>> {
  const error: unknown = await attempt.catch((reason: unknown) => reason)
  if (!(error instanceof Refusal) || error.code !== 'schedule_invalid') throw error
  return Object.fromEntries((error.complaints ?? []).map(({ field, code }) => [field, code]))
}

test('every edit raises the version of its host by one, and a refused one leaves it', async () => {
  const before = await versionOf(host.hostId)
  const { scheduleId } = await create(mine())
  const edited = await updateSchedule(database.db, { scheduleId, version: 1, schedule: mine({ name: 'x' }) })
  await setScheduleEnabled(database.db, { scheduleId, version: edited.version, enabled: false })
  await expect(create(mine({ cron: 'nonsense' }))).rejects.toMatchObject({ code: 'schedule_invalid' })
  await removeSchedule(database.db, { scheduleId, version: 3 })
  expect(await versionOf(host.hostId)).toBe(before + 4)
})

test('what was saved is what is shown, and goes on being so after an edit', async () => {
  const schedule = mine({
    excludes: ['*.tmp'],
    options: { oneFileSystem: true, uploadKibps: 100 },
    retry: { count: 2, delaySeconds: 60 },
    timeoutMinutes: 90,
  })
  const { scheduleId } = await create(schedule)
  expect(await view(scheduleId)).toMatchObject({ version: 1, schedule, hostName: 'web-1' })
  const other = mine({ cron: '30 2 * * *', timeZone: 'Europe/Berlin', jitterSeconds: 60 })
  await updateSchedule(database.db, { scheduleId, version: 1, schedule: other })
  const after = await view(scheduleId)
  expect(after.schedule).toEqual(other)
  expect(after).toMatchObject({ version: 2, repositories: [{ id: host.repositoryId }] })
})

test('a stale edit changes nothing and is told both versions', async () => {
  const { scheduleId } = await create(mine())
  await updateSchedule(database.db, { scheduleId, version: 1, schedule: mine({ name: 'first' }) })
  await expect(
    updateSchedule(database.db, { scheduleId, version: 1, schedule: mine({ name: 'second' }) }),
  ).rejects.toMatchObject({ code: 'version_stale', message: expect.stringMatching(/version 1 .*version 2/) })
  await expect(
    setScheduleEnabled(database.db, { scheduleId, version: 1, enabled: false }),
  ).rejects.toMatchObject({ code: 'version_stale' })
  expect((await view(scheduleId)).schedule.name).toBe('first')
})

test('two edits of one version at the same moment: one is saved, the other is told', async () => {
  const { scheduleId } = await create(mine())
  const edit = (name: string) =>
    updateSchedule(database.db, { scheduleId, version: 1, schedule: mine({ name }) })
  const outcomes = await Promise.allSettled([edit('a'), edit('b'), edit('c')])
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect(await view(scheduleId)).toMatchObject({ version: 2 })
})

test('a repeated request makes one schedule, and another one under its id is refused', async () => {
  const requestId = newId()
  const [first, second] = await Promise.all([create(mine(), requestId), create(mine(), requestId)])
  expect(second).toEqual(first)
  expect(await create(mine(), requestId)).toEqual(first)
  await expect(create(mine({ kind: 'check' }), requestId)).rejects.toMatchObject({ code: 'request_reused' })
})

test('a deleted schedule is gone for operators, stays as a tombstone, and is deleted once', async () => {
  const { scheduleId } = await create(mine())
  await removeSchedule(database.db, { scheduleId, version: 1 })
  const version = await versionOf(host.hostId)
  await removeSchedule(database.db, { scheduleId, version: 1 })
  expect(await versionOf(host.hostId)).toBe(version)
  await expect(view(scheduleId)).rejects.toMatchObject({ code: 'schedule_not_found' })
  await expect(
    setScheduleEnabled(database.db, { scheduleId, version: 2, enabled: true }),
  ).rejects.toMatchObject({ code: 'schedule_not_found' })
  const [row] = await database.db.select().from(schedules).where(eq(schedules.id, scheduleId))
  expect(row?.deletedAt).toBeInstanceOf(Date)
})

describe('what is refused', () => {
  test('names every fault by its field and code', async () => {
    expect(
      await complaintsOf(create(mine({ cron: '0 0 31 2 *', paths: [], options: { maxUnusedPercent: 5 } }))),
    ).toEqual({ cron: 'invalid_cron', paths: 'missing_paths', options: 'invalid_options' })
  })

  test('a change of kind', async () => {
    const { scheduleId } = await create(mine())
    const schedule: ScheduleDraft = { ...mine(), kind: 'check' }
    expect(
      await complaintsOf(updateSchedule(database.db, { scheduleId, version: 1, schedule })),
    ).toMatchObject({ kind: 'kind_is_immutable' })
  })

  test('a hook that the policy of the host does not allow, as the host told last', async () => {
    const preHook = { name: 'freeze' }
    expect(await complaintsOf(create(mine({ preHook })))).toEqual({ preHook: 'hooks_not_allowed' })
    const other = await makeHost(database.db, database.seal)
    await database.db
      .update(hosts)
      .set({ policy: { hooks: 'listed' } })
      .where(eq(hosts.id, other.hostId))
    await planOn(database.db, other, { preHook })
    expect(await complaintsOf(planOn(database.db, other, { preHook: { script: 'true' } }))).toEqual({
      preHook: 'hooks_not_allowed',
    })
  })

  test('a repository of other hosts, unless this host maintains it and does not back up', async () => {
    const other = await makeHost(database.db, database.seal)
    const theirs = [other.repositoryId]
    expect(await complaintsOf(create(mine({ repositoryIds: theirs })))).toEqual({
      repositoryIds: 'missing_repository',
    })
    await database.db
      .update(repositories)
      .set({ maintenanceHostId: host.hostId })
      .where(eq(repositories.id, other.repositoryId))
    expect(await complaintsOf(create(mine({ repositoryIds: theirs })))).toEqual({
      repositoryIds: 'missing_repository',
    })
    const { paths: _, ...prune } = mine({ kind: 'prune', repositoryIds: theirs })
    await create(prune)
  })

  test('to thin anything but backups of the same host; a deleted one still counts', async () => {
    const other = await makeHost(database.db, database.seal)
    const theirs = await planOn(database.db, other)
    const { scheduleId: ours } = await create(mine())
    const forget = (forgets: string[]) => {
      const { paths: _, ...draft } = mine({ kind: 'forget', retention: { daily: 7 }, forgets })
      return create(draft)
    }
    expect(await complaintsOf(forget([ours, theirs]))).toEqual({ forgets: 'missing_targets' })
    const { scheduleId: retention } = await forget([ours])
    expect(await complaintsOf(forget([retention]))).toEqual({ forgets: 'missing_targets' })
    await removeSchedule(database.db, { scheduleId: ours, version: 1 })
    await forget([ours])
  })
})

test('a removed host has no schedules to see or to edit', async () => {
  const gone = await makeHost(database.db, database.seal, 'gone-1')
  const scheduleId = await planOn(database.db, gone)
  await removeHost(database.db, { hostId: gone.hostId, confirmName: 'gone-1' })
  expect(await listSchedules(database.db, wholeFleet, { hostId: gone.hostId }, timing)).toEqual([])
  await expect(removeSchedule(database.db, { scheduleId, version: 1 })).rejects.toMatchObject({
    code: 'host_not_found',
  })
})

test('a repository that is being planned on at this moment is not removed', async () => {
  const { db } = database
  const { hostId, repositoryId } = await makeHost(db, database.seal)
  const [repository] = await db.select().from(repositories).where(eq(repositories.id, repositoryId))
  const { removing } = await db.transaction(async tx => {
    await createSchedule(tx, { requestId: newId(), hostId, schedule: hourly([repositoryId]) })
    const request = { repositoryId, confirmName: repository?.name ?? '' }
    const attempt = Promise.allSettled([removeRepository(db, request)])
    await Promise.race([attempt, untilOneWaits(db)])
    return { removing: attempt }
  })
  expect(await removing).toMatchObject([{ status: 'rejected', reason: { code: 'repository_in_use' } }])
})
