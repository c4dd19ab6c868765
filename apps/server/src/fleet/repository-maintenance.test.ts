// What the page of a repository says of its maintenance: when it succeeded last, what is under way, and when it is overdue.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import type { JobSpec } from '@restic-manager/contract/command'
import { timing } from '@restic-manager/contract/timing'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost, type TestHost } from '../testing-fleet.ts'
import { accept, end, makeVault, run } from '../testing-maintenance.ts'
import { applySet, hoursAgo, planOn } from '../testing-schedules.ts'
import { keepStats } from './repository-stats.ts'
import { listRepositories, viewRepository } from './repository-views.ts'
import { wholeFleet } from './scope.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const view = (host: TestHost) => viewRepository(database.db, host.repositoryId)
const forget = (host: TestHost, dryRun: boolean): JobSpec<'forget'> => ({
  retention: { daily: 7 },
  dryRun,
  targets: [{ hostId: host.hostId, scheduleId: newId() }],
})

test('the last prune and forget are those that succeeded; a preview is none', async () => {
  const { one, keeper } = await makeVault(database.db, database.seal)
  const did = async (work: Parameters<typeof run>[2], status: 'succeeded' | 'failed', finishedAt: string) =>
    end(database.db, keeper, await run(database.db, keeper, work), status, { finishedAt })
  await did({ kind: 'prune', spec: {} }, 'succeeded', hoursAgo(9))
  await did({ kind: 'prune', spec: {} }, 'failed', hoursAgo(8))
  await did({ kind: 'forget', spec: forget(one, false) }, 'succeeded', hoursAgo(7))
  await did({ kind: 'forget', spec: forget(one, true) }, 'succeeded', hoursAgo(6))
  expect(await view(one)).toMatchObject({
    lastPruneAt: new Date(hoursAgo(9)),
    lastForgetAt: new Date(hoursAgo(7)),
    maintenance: [],
  })
})

test('what is under way or waits is shown in its order, and backups are not', async () => {
  const { one, keeper } = await makeVault(database.db, database.seal)
  await accept(database.db, one, (await one.backUp()).jobId)
  const pruning = await run(database.db, keeper, { kind: 'prune', spec: {} })
  const checking = await run(database.db, keeper, { kind: 'check', spec: {} })
  const { maintenance } = await view(one)
  expect(maintenance).toMatchObject([
    { id: pruning, kind: 'prune', hostName: 'keeper', waitsFor: { kind: 'backup', hostName: 'one' } },
    { id: checking, kind: 'check', status: 'queued' },
  ])
})

test('retention that has not succeeded for two of its periods is overdue, in each repository by itself', async () => {
  const host = await makeHost(database.db, database.seal)
  const backups = await planOn(database.db, host, { since: hoursAgo(5) })
  const plan = { kind: 'forget', paths: undefined, retention: { daily: 7 }, forgets: [backups] } as const
  await planOn(database.db, host, { ...plan, name: 'thin', forgets: [backups], since: hoursAgo(4) })
  await applySet(database.db, host, hoursAgo(4))
  const overdue = await view(host)
  expect(overdue.retentionOverdueSince).toEqual(new Date(hoursAgo(3)))
  const all = await listRepositories(database.db, wholeFleet)
  expect(all.find(each => each.id === host.repositoryId)).toEqual(overdue)
  const patient = { ...timing, missedGrace: 6 * 3_600_000 }
  expect(await viewRepository(database.db, host.repositoryId, { timing: patient })).toMatchObject({
    retentionOverdueSince: null,
  })
})

test('the maintenance host tells of size and locks without access of its own', async () => {
  const { keeper, one } = await makeVault(database.db, database.seal)
  await keepStats(database.db, keeper.sender, {
    repositoryId: keeper.repositoryId,
    lockState: 'unlocked',
    sizeBytes: 42,
    resticId: 'b'.repeat(64),
  })
  expect(await view(one)).toMatchObject({ sizeBytes: 42, lockState: 'unlocked', resticId: 'b'.repeat(64) })
})
