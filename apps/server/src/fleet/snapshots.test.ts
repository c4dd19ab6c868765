// Snapshots: a report replaces a host's list as a whole, and only its own.
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import type { Snapshot } from '@restic-manager/contract/snapshots'
import { snapshotReportPages } from '../db/schema-snapshots.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { connectMachine, enrolMachine, makeHost, type TestHost } from '../testing-fleet.ts'
import { makeVault } from '../testing-maintenance.ts'
import { viewHost } from './host-views.ts'
import { finishJob } from './job-reports.ts'
import { viewJob } from './job-views.ts'
import { removeRepository, updateRepository } from './repositories.ts'
import { viewRepository } from './repository-views.ts'
import { snapshotPage, viewSnapshot } from './snapshot-views.ts'
import { keepSnapshotReport } from './snapshots.ts'
import { wholeFleet } from './scope.ts'

let database: TestDatabase
let host: TestHost
beforeAll(async () => {
  database = await testDatabase()
  host = await makeHost(database.db, database.seal)
})
afterAll(() => database.close())

const snapshot = (hostId: string, over: Partial<Snapshot> = {}): Snapshot => {
  const id = randomBytes(32).toString('hex')
  const tags = [`rm-host=${hostId}`]
  const time = '2026-11-23T07:00:00.000Z'
  return {
    id,
    shortId: id.slice(0, 8),
    time,
    hostname: 'web-1',
    paths: ['/srv'],
    tags,
    sizeBytes: 10,
    fileCount: 2,
    ...over,
  }
}
const page = (
  of: TestHost,
  snapshots: Snapshot[],
  over: { reportId?: string; page?: number; pages?: number } = {},
) => ({
  ...of.fact(),
  repositoryId: of.repositoryId,
  reportId: newId(),
  scope: 'own' as const,
  page: 0,
  pages: 1,
  snapshots,
  ...over,
})
const report = (of: TestHost, ...pages: Snapshot[][]) => {
  const reportId = newId()
  return pages.map((snapshots, at) => page(of, snapshots, { reportId, page: at, pages: pages.length }))
}
const keep = (of: TestHost, message: ReturnType<typeof page>) =>
  keepSnapshotReport(database.db, of.sender, message)
const idsOf = async (of: TestHost) => {
  const { rows } = await snapshotPage(database.db, wholeFleet, { repositoryId: of.repositoryId, limit: 200 })
  return rows.map(row => row.id).toSorted()
}
const ids = (...snapshots: Snapshot[]) => snapshots.map(each => each.id).toSorted()

test('a list is swapped in when all of its pages are here, not before', async () => {
  const [a, b, c] = [snapshot(host.hostId), snapshot(host.hostId), snapshot(host.hostId)]
  await keep(host, page(host, [a]))
  const [first, second] = report(host, [b], [c])
  if (first === undefined || second === undefined) throw new Error('two pages were made')
  await keep(host, first)
  expect(await idsOf(host)).toEqual(ids(a))
  expect(await keep(host, second)).toEqual({ seq: second.seq })
  expect(await idsOf(host)).toEqual(ids(b, c))
  expect(await database.db.select().from(snapshotReportPages)).toHaveLength(0)
})

test('an empty list empties the mirror', async () => {
  await keep(host, page(host, [snapshot(host.hostId)]))
  await keep(host, page(host, []))
  expect(await idsOf(host)).toEqual([])
})

test('a repeated page of a list that was replaced since changes nothing', async () => {
  const old = page(host, [snapshot(host.hostId)])
  const current = snapshot(host.hostId)
  await keep(host, old)
  await keep(host, page(host, [current]))
  await keep(host, old)
  expect(await idsOf(host)).toEqual(ids(current))
})

test('the first page of a newer report drops an older one that never was complete', async () => {
  const [started] = report(host, [snapshot(host.hostId)], [snapshot(host.hostId)])
  if (started === undefined) throw new Error('a page was made')
  await keep(host, started)
  const current = snapshot(host.hostId)
  await keep(host, page(host, [current]))
  expect(await idsOf(host)).toEqual(ids(current))
  expect(await database.db.select().from(snapshotReportPages)).toHaveLength(0)
})

test('what lacks the tag of the sender is dropped, and the list of another host stays', async () => {
  const mine = await makeHost(database.db, database.seal, 'shared-1')
  const machine = await enrolMachine(database.db, 'shared-2')
  const view = await viewRepository(database.db, mine.repositoryId)
  await updateRepository(database.db, database.seal, {
    ...access(view),
    hostIds: [mine.hostId, machine.hostId],
  })
  const other = { ...mine, hostId: machine.hostId, sender: await connectMachine(database.db, machine) }
  const [a, b] = [snapshot(mine.hostId), snapshot(other.hostId)]
  await keep(mine, page(mine, [a]))
  await keep(
    other,
    page(other, [
      b,
      snapshot(mine.hostId),
      snapshot(other.hostId, { tags: [] }),
      { ...a, tags: [`rm-host=${other.hostId}`] },
    ]),
  )
  expect(await idsOf(mine)).toEqual(ids(a, b))
  expect(
    await viewSnapshot(database.db, { repositoryId: mine.repositoryId, snapshotId: a.id }),
  ).toMatchObject({ hostId: mine.hostId })
})

const access = (view: Awaited<ReturnType<typeof viewRepository>>) => ({
  repositoryId: view.id,
  version: view.version,
  name: view.name,
  url: view.url,
  mayDelete: view.mayDelete,
})

test('the whole of a repository is not for an ordinary host to report: it is acknowledged and changes nothing', async () => {
  const before = await idsOf(host)
  const whole = { ...page(host, []), scope: 'whole' as const }
  expect(await keepSnapshotReport(database.db, host.sender, whole)).toEqual({ seq: whole.seq })
  expect(await idsOf(host)).toEqual(before)
  expect(before).not.toEqual([])
})

test('the maintenance host reports the whole: every list is replaced at once, whosever it is, and counted again', async () => {
  const { db } = database
  const { one, two, keeper, repositoryId } = await makeVault(db, database.seal)
  const counts = async () => [
    (await viewHost(db, one.hostId)).snapshotCount,
    (await viewHost(db, two.hostId)).snapshotCount,
  ]
  const [a, b, stolen] = [snapshot(one.hostId), snapshot(two.hostId), snapshot(one.hostId)]
  await keep(one, page(one, [a]))
  await keep(two, page(two, [b, { ...stolen, tags: [`rm-host=${two.hostId}`] }]))
  expect(await counts()).toEqual([1, 2])
  const foreign = snapshot(newId())
  const untagged = snapshot(one.hostId, { tags: [] })
  for (const message of report(keeper, [stolen, foreign], [untagged, b]))
    await keepSnapshotReport(db, keeper.sender, { ...message, scope: 'whole' })
  expect(await idsOf(keeper)).toEqual(ids(stolen, foreign, untagged, b))
  expect(await counts()).toEqual([1, 1])
  const ownerOf = async (snapshotId: string) => (await viewSnapshot(db, { repositoryId, snapshotId })).hostId
  expect(await Promise.all([stolen, foreign, untagged, b].map(each => ownerOf(each.id)))).toEqual([
    one.hostId,
    null,
    null,
    two.hostId,
  ])
  await keepSnapshotReport(db, keeper.sender, { ...page(keeper, []), scope: 'whole' })
  expect(await idsOf(keeper)).toEqual([])
  expect(await counts()).toEqual([0, 0])
})

test('whole and own reports that meet leave numbers that are right', async () => {
  const { db } = database
  const { one, two, keeper, repositoryId } = await makeVault(db, database.seal)
  const of = { one: [snapshot(one.hostId), snapshot(one.hostId)], two: [snapshot(two.hostId)] }
  const all = [...of.one, ...of.two]
  for (let round = 0; round < 5; round += 1)
    await Promise.all([
      keep(one, page(one, of.one)),
      keep(two, page(two, of.two)),
      keepSnapshotReport(db, keeper.sender, { ...page(keeper, all), scope: 'whole' }),
    ])
  expect(await idsOf(keeper)).toEqual(ids(...all))
  expect(await viewRepository(db, repositoryId)).toMatchObject({ snapshotCount: 3 })
  expect((await viewHost(db, one.hostId)).snapshotCount).toBe(2)
})

test('a report about a repository the host has no access to is acknowledged and dropped', async () => {
  const other = await makeHost(database.db, database.seal, 'stranger-1')
  const stray = { ...page(other, [snapshot(other.hostId)]), repositoryId: host.repositoryId }
  const before = await idsOf(host)
  expect(await keep(other, stray)).toEqual({ seq: stray.seq })
  expect(await keep(other, { ...page(other, []), repositoryId: newId() })).toMatchObject({
    seq: expect.any(Number),
  })
  expect(await idsOf(host)).toEqual(before)
})

test('ten thousand snapshots are mirrored, and their newest says how much is protected', async () => {
  const big = await makeHost(database.db, database.seal, 'big-1')
  const { jobId } = await big.backUp()
  await finishJob(database.db, big.sender, {
    ...big.fact(),
    jobId,
    kind: 'backup',
    repositoryId: big.repositoryId,
    status: 'incomplete',
    finishedAt: '2026-11-23T08:00:00.000Z',
    warnings: [],
    lastLogSeq: -1,
  })
  const many = Array.from({ length: 10_000 }, (_, at) =>
    snapshot(big.hostId, { time: new Date(1_700_000_000_000 + at * 60_000).toISOString() }),
  )
  const newest = snapshot(big.hostId, {
    sizeBytes: 77,
    fileCount: 7,
    tags: [`rm-host=${big.hostId}`, `rm-job=${jobId}`, 'rm-job=nonsense'],
  })
  for (const message of report(big, many.slice(0, 5_000), [...many.slice(5_000), newest]))
    await keep(big, message)
  expect(await viewRepository(database.db, big.repositoryId)).toMatchObject({ snapshotCount: 10_001 })
  expect(await viewHost(database.db, big.hostId)).toMatchObject({
    snapshotCount: 10_001,
    protectedBytes: 77,
    protectedFiles: 7,
  })
  expect(await viewJob(database.db, jobId)).toMatchObject({ snapshotId: newest.id })
  expect(
    await viewSnapshot(database.db, { repositoryId: big.repositoryId, snapshotId: newest.id }),
  ).toMatchObject({
    jobId,
    jobStatus: 'incomplete',
  })

  const seen = new Set<string>()
  for (let cursor: string | undefined, pages = 0; pages < 100; pages += 1) {
    const at = await snapshotPage(database.db, wholeFleet, { hostId: big.hostId, limit: 200, cursor })
    for (const row of at.rows) seen.add(row.id)
    if (at.nextCursor === null) break
    cursor = at.nextCursor
  }
  expect(seen.size).toBe(10_001)
})

test('everywhere the number of snapshots is that of the newest report, and goes with the repository', async () => {
  const { db } = database
  const own = await makeHost(db, database.seal)
  const numbers = async () => [
    (await viewHost(db, own.hostId)).snapshotCount,
    (await viewRepository(db, own.repositoryId)).snapshotCount,
    (await snapshotPage(db, wholeFleet, { repositoryId: own.repositoryId, limit: 1 })).total,
    (await snapshotPage(db, wholeFleet, { hostId: own.hostId, limit: 1 })).total,
  ]
  expect(await numbers()).toEqual([0, 0, 0, 0])
  await keep(own, page(own, [snapshot(own.hostId), snapshot(own.hostId), snapshot(own.hostId)]))
  expect(await numbers()).toEqual([3, 3, 3, 3])
  await keep(own, page(own, [snapshot(own.hostId)]))
  expect(await numbers()).toEqual([1, 1, 1, 1])
  const { name: confirmName } = await viewRepository(db, own.repositoryId)
  await removeRepository(db, { repositoryId: own.repositoryId, confirmName })
  expect((await viewHost(db, own.hostId)).snapshotCount).toBe(0)
})
