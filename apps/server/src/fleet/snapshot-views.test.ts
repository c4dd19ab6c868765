// The list of snapshots: by tag and by words, page by page, with the retention that thins each; and jobs by time.
import { randomBytes } from 'node:crypto'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { jobs } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost, type TestHost } from '../testing-fleet.ts'
import { acceptSlot, finishSlot, fire, fireOf, hoursAgo, idOf, planOn } from '../testing-schedules.ts'
import { jobPage } from './job-views.ts'
import { wholeFleet } from './scope.ts'
import { snapshotPage } from './snapshot-views.ts'
import { keepSnapshotReport } from './snapshots.ts'

let database: TestDatabase
let host: TestHost
let scheduleId: string
const slot = hoursAgo(0)

beforeAll(async () => {
  database = await testDatabase()
  const { db } = database
  host = await makeHost(db, database.seal)
  scheduleId = await planOn(db, host)
  await fire(db, host, fireOf(host, scheduleId, slot))
  await acceptSlot(db, host, scheduleId, slot)
  await finishSlot(db, host, scheduleId, slot)
  const made = [
    { paths: ['/srv/photos'], tags: ['yearly'], job: true },
    { paths: ['/srv/100%_mail'], tags: [], job: false },
    { paths: ['/etc'], tags: ['yearly', 'config'], job: false },
  ]
  await keepSnapshotReport(db, host.sender, {
    ...host.fact(),
    ...{ repositoryId: host.repositoryId, reportId: newId(), scope: 'own', page: 0, pages: 1 },
    snapshots: made.map(({ paths, tags, job }, index) => {
      const id = randomBytes(32).toString('hex')
      const ours = [`rm-host=${host.hostId}`]
      if (job) ours.push(`rm-job=${idOf(host, scheduleId, slot)}`)
      return {
        id,
        shortId: id.slice(0, 8),
        time: hoursAgo(10 - index),
        hostname: 'web-1',
        paths,
        tags: tags.concat(ours),
        sizeBytes: 10,
        fileCount: 1,
      }
    }),
  })
})
afterAll(() => database.close())

const found = async (over: { tag?: string; search?: string; limit?: number; cursor?: string }) => {
  const page = await snapshotPage(database.db, wholeFleet, { limit: 10, ...over })
  return { paths: page.rows.flatMap(row => row.paths), total: page.total, next: page.nextCursor }
}

test('a tag is compared as a whole, and words stand anywhere in a folder, whatever signs they hold', async () => {
  expect(await found({ tag: 'yearly' })).toMatchObject({ paths: ['/etc', '/srv/photos'], total: 2 })
  expect(await found({ tag: 'year' })).toMatchObject({ paths: [], total: 0 })
  expect(await found({ search: 'PHOTO' })).toMatchObject({ paths: ['/srv/photos'], total: 1 })
  expect(await found({ search: '%_m' })).toMatchObject({ paths: ['/srv/100%_mail'], total: 1 })
  expect(await found({ search: 'web-1' })).toMatchObject({ total: 3 })
  const { rows } = await snapshotPage(database.db, wholeFleet, { limit: 1 })
  expect(await found({ search: rows[0]?.shortId ?? '' })).toMatchObject({ paths: ['/etc'] })
})

test('what a filter finds comes page by page, and a limited operator finds nothing of others', async () => {
  const first = await found({ tag: 'yearly', limit: 1 })
  const second = await found({ tag: 'yearly', limit: 1, cursor: first.next ?? '' })
  expect([first.paths, second.paths, second.next]).toEqual([['/etc'], ['/srv/photos'], null])
  expect(await snapshotPage(database.db, ['elsewhere'], { limit: 5, tag: 'yearly' })).toMatchObject({
    rows: [],
    total: 0,
  })
})

test('a snapshot says what thins it once a forget is planned for its schedule', async () => {
  const retentions = async () =>
    (await snapshotPage(database.db, wholeFleet, { limit: 10 })).rows.map(row => row.retention)
  expect(await retentions()).toEqual([null, null, null])
  await planOn(database.db, host, {
    ...{ name: 'thin', kind: 'forget', forgets: [scheduleId], retention: { daily: 7 } },
    paths: undefined,
  })
  expect(await retentions()).toEqual([null, null, { daily: 7 }])
})

test('jobs are found by when they were made', async () => {
  const at = (hours: number) => new Date(hoursAgo(hours))
  const jobId = idOf(host, scheduleId, slot)
  await database.db
    .update(jobs)
    .set({ createdAt: at(30) })
    .where(eq(jobs.id, jobId))
  const count = async (from?: Date, until?: Date) =>
    (await jobPage(database.db, wholeFleet, { limit: 10, scheduleId, from, until })).rows.length
  expect([
    await count(at(31)),
    await count(at(24)),
    await count(undefined, at(30)),
    await count(at(30), at(29)),
  ]).toEqual([1, 0, 0, 1])
})
