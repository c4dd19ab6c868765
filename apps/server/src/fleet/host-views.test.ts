// The fleet as a list: paged without loss, sorted and filtered by the database, removed hosts gone.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import type { HostListRequest } from '@restic-manager/contract/requests'
import type { z } from 'zod'
import { hosts, jobs } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { connectMachine, enrolMachine, makeHost, makeKey } from '../testing-fleet.ts'
import { hostPage, viewHost } from './host-views.ts'
import { removeHost, updateHost } from './hosts.ts'
import { finishJob } from './job-reports.ts'
import { jobPage, viewJob } from './job-views.ts'
import { viewRepository } from './repository-views.ts'
import { wholeFleet } from './scope.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
  await database.db.insert(hosts).values(
    Array.from({ length: 250 }, (_, at) => ({
      id: newId(),
      name: `node-${String(at % 100).padStart(2, '0')}`,
      hostname: `node-${at}.example.com`,
      publicKey: makeKey().publicKey,
      online: at % 2 === 0,
      quarantinedAt: at % 50 === 0 ? new Date() : null,
      lastGoodBackupAt: at % 3 === 0 ? null : new Date(1_700_000_000_000 + (at % 7) * 1_000),
      tags: at % 10 === 0 ? ['prod'] : [],
    })),
  )
})
afterAll(() => database.close())

type Request = z.infer<typeof HostListRequest>
const list = (request: Partial<Request>) =>
  hostPage(database.db, wholeFleet, { limit: 200, sort: 'name', ...request })
const all = async (request: Partial<Request>) => {
  const rows = []
  for (let cursor: string | undefined; ;) {
    const page = await list({ ...request, limit: 17, cursor })
    rows.push(...page.rows)
    if (page.nextCursor === null) return rows
    cursor = page.nextCursor
  }
}

describe('a list in pages', () => {
  test.each(['name', 'lastGoodBackup'] as const)(
    'sorted by %s shows every host once, in a stable order',
    async sort => {
      const rows = await all({ sort })
      expect(rows).toHaveLength(250)
      expect(new Set(rows.map(row => row.id)).size).toBe(250)
      const keys = rows.map(row => (sort === 'name' ? row.name : (row.lastGoodBackupAt?.getTime() ?? 0)))
      expect(keys).toEqual(keys.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)))
    },
  )

  test('a cursor nobody gave out is refused', async () => {
    await expect(list({ cursor: 'nonsense' })).rejects.toMatchObject({ code: 'bad_input' })
    const ofAnotherSort = (await list({ sort: 'lastGoodBackup', limit: 1 })).nextCursor ?? ''
    await expect(list({ sort: 'name', cursor: ofAnotherSort })).rejects.toMatchObject({ code: 'bad_input' })
  })
})

test('states are counted over all hosts and filtered by the database', async () => {
  const { counts, total } = await list({ limit: 1 })
  expect(counts).toEqual({
    all: 250,
    late: 0,
    online: 120,
    offline: 125,
    paused: 0,
    waiting: 0,
    quarantined: 5,
  })
  expect(total).toBe(250)
  const quarantined = await list({ state: 'quarantined' })
  expect(quarantined.rows).toHaveLength(5)
  expect(quarantined).toMatchObject({ total: 5, counts })
})

test('a search finds names, host names and tags, and takes signs as they are', async () => {
  expect((await list({ search: 'NODE-07' })).total).toBe(3)
  expect((await list({ search: 'node-249.example' })).total).toBe(1)
  expect((await list({ search: 'prod' })).total).toBe(25)
  expect((await list({ search: '%' })).total).toBe(0)
  expect((await list({ search: "'; drop table hosts; --" })).total).toBe(0)
})

test('a host shows its jobs, its repositories and what its last backup read', async () => {
  const host = await makeHost(database.db, database.seal, 'shown-1')
  const first = await host.backUp()
  const finishedAt = '2026-11-23T07:10:00.000Z'
  const header = { jobId: first.jobId, kind: 'backup' as const, repositoryId: host.repositoryId }
  await finishJob(database.db, host.sender, {
    ...host.fact(),
    ...header,
    status: 'incomplete',
    finishedAt,
    warnings: [],
    lastLogSeq: -1,
  })
  const second = await host.backUp()
  await database.db.update(jobs).set({ status: 'running' }).where(eq(jobs.id, second.jobId))
  const view = await viewHost(database.db, host.hostId)
  expect(view).toMatchObject({
    lastJob: { id: second.jobId, hostName: 'shown-1' },
    runningJob: { id: second.jobId },
    lastGoodBackupAt: new Date(finishedAt),
    repositoryCount: 1,
    repositories: [
      { id: host.repositoryId, lastBackupAt: new Date(finishedAt), hosts: [{ id: host.hostId }] },
    ],
    suggestedBackup: { repositoryId: host.repositoryId, paths: ['/srv'], excludes: [] },
  })
  const pages = await jobPage(database.db, wholeFleet, { hostId: host.hostId, limit: 1 })
  expect(pages.rows).toMatchObject([{ id: second.jobId }])
  const rest = await jobPage(database.db, wholeFleet, {
    hostId: host.hostId,
    limit: 5,
    cursor: pages.nextCursor ?? '',
  })
  expect(rest).toMatchObject({ rows: [{ id: first.jobId }], nextCursor: null })
  expect((await jobPage(database.db, wholeFleet, { limit: 9, statuses: ['incomplete'] })).rows).toMatchObject(
    [{ id: first.jobId }],
  )
})

test('a removed host is gone from the lists, its key and bearers are dead, its open jobs given up', async () => {
  const host = await makeHost(database.db, database.seal, 'gone-1')
  const { jobId } = await host.backUp()
  await updateHost(database.db, { hostId: host.hostId, name: 'renamed' })
  const remove = (confirmName: string) => removeHost(database.db, { hostId: host.hostId, confirmName })
  await expect(remove('gone-1')).rejects.toMatchObject({ code: 'not_confirmed' })
  await remove('renamed')
  await remove('renamed')
  await expect(viewHost(database.db, host.hostId)).rejects.toMatchObject({ code: 'host_not_found' })
  await expect(connectMachine(database.db, host.machine)).rejects.toMatchObject({ code: 'host_removed' })
  expect(await viewJob(database.db, jobId)).toMatchObject({ status: 'expired', provisional: true })
  expect((await viewRepository(database.db, host.repositoryId)).hosts).toEqual([])
  await expect(updateHost(database.db, { hostId: host.hostId, tags: [] })).rejects.toMatchObject({
    code: 'host_not_found',
  })
  expect((await list({ search: 'renamed' })).total).toBe(0)
})

test('a host that never connected has a last seen of nothing', async () => {
  const { hostId } = await enrolMachine(database.db, 'new-1')
  expect(await viewHost(database.db, hostId)).toMatchObject({ lastSeenAt: null, state: 'offline', os: null })
})
