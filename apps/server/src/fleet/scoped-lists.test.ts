// What somebody sees who is limited to few hosts of a fleet: the rows that a plain search finds, without a look at the rows of others.
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seedFleet } from '../seed/seed-fleet.ts'
import { type TestDatabase, testDatabase } from '../testing-database.ts'
import { growSnapshots } from '../testing-growth.ts'
import { openPlanReader } from '../testing-plans.ts'
import { jobPage } from './job-views.ts'
import { snapshotPage } from './snapshot-views.ts'

const limit = 20
const scope = ['rare']
const isSeen = `in (select id from hosts where tags && '{rare}')`
let database: TestDatabase
let repositoryId: string

beforeAll(async () => {
  database = await testDatabase()
  const { db, seal } = database
  await seedFleet(db, seal, { hosts: 60, jobs: 12_000, days: 60, seed: 1, onlineHours: 24 })
  await growSnapshots(db, 12_000)
  await db.execute(
    sql`update hosts set tags = tags || '{rare}' where id in (select id from hosts order by name limit 2)`,
  )
  // A maintenance host runs these for a host that is seen.
  await db.execute(sql`
    update jobs set for_host_id = (select id from hosts where tags && '{rare}' order by name limit 1)
    where id in (select id from jobs order by md5(id::text) limit 300)`)
  await db.execute(sql`update snapshots set host_id = null where id < '01'`)
  const [one] = await db.execute<{ id: string }>(
    sql.raw(`
    select repository_id as id from jobs where host_id ${isSeen} group by 1 order by count(*) desc limit 1`),
  )
  repositoryId = one?.id ?? ''
  await db.execute(sql`vacuum analyze`)
})
afterAll(() => database.close())

type Plain = [request: object, plain: string]
const jobFilters: Record<string, () => Plain> = {
  jobs: () => [{}, 'true'],
  'jobs of a repository': () => [{ repositoryId }, `repository_id = '${repositoryId}'`],
  'jobs that failed': () => [{ statuses: ['failed'] }, `status = 'failed'`],
  'jobs of a kind': () => [{ kinds: ['forget'] }, `kind = 'forget'`],
  'jobs that failed or succeeded of some kinds': () => [
    { statuses: ['failed', 'succeeded'], kinds: ['check', 'prune'] },
    `status in ('failed', 'succeeded') and kind in ('check', 'prune')`,
  ],
}
const snapshotFilters: Record<string, () => Plain> = {
  snapshots: () => [{}, 'true'],
  'snapshots of a repository': () => [{ repositoryId }, `repository_id = '${repositoryId}'`],
}

/** The ids of the first pages, one after the other. */
async function idsOf(
  read: (cursor?: string) => Promise<{ rows: { id: string }[]; nextCursor: string | null }>,
) {
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const page = await read(cursor)
    seen.push(...page.rows.map(row => row.id))
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined && seen.length < 4 * limit)
  return seen
}

/** The ids a plain search finds. */
async function plainly(statement: string) {
  const found = await database.db.execute<{ id: string }>(sql.raw(`${statement} limit ${4 * limit}`))
  return found.map(({ id }) => id)
}

/** How the statement for the rows finds them: what it looks at, and the indexes that say enough by themselves. */
async function planOf(read: Parameters<ReturnType<typeof openPlanReader>['plansOf']>[0]) {
  await using reader = openPlanReader(database.url)
  const [rows] = await reader.plansOf(read)
  const alone = JSON.stringify(rows?.plan).matchAll(
    /"Node Type":"Index Only Scan"[^{]*?"Index Name":"((?:jobs|snapshots)_\w+)"/g,
  )
  return { blocks: rows?.blocks, alone: [...alone].map(([, name]) => name) }
}

describe.each(Object.keys(jobFilters))('%s', name => {
  const asked = () => jobFilters[name]?.() ?? [{}, 'true']

  test('are those that a plain search finds, page after page', async () => {
    const [request, plain] = asked()
    const wanted = await plainly(`
      select id from jobs where (host_id ${isSeen} or for_host_id ${isSeen}) and ${plain} order by created_at desc, id desc`)
    const seen = await idsOf(cursor => jobPage(database.db, scope, { ...request, cursor, limit }))
    expect(wanted.length).toBeGreaterThan(0)
    expect(seen).toEqual(wanted)
  })
})

describe.each(Object.keys(snapshotFilters))('%s', name => {
  const asked = () => snapshotFilters[name]?.() ?? [{}, 'true']

  test('are those that a plain search finds, page after page', async () => {
    const [request, plain] = asked()
    const wanted = await plainly(`
      select id from snapshots where host_id ${isSeen} and ${plain} order by taken_at desc, id desc, repository_id desc`)
    const seen = await idsOf(cursor => snapshotPage(database.db, scope, { ...request, cursor, limit }))
    expect(wanted.length).toBeGreaterThan(0)
    expect(seen).toEqual(wanted)
  })
})

test.each([
  ['jobs', 'jobs_newest'],
  ['jobs of a repository', 'jobs_repository_newest'],
  ['jobs that failed', 'jobs_status_newest'],
  ['jobs of a kind', 'jobs_kind_newest'],
])('%s are found without a look at those of others', async (name, index) => {
  const [request] = jobFilters[name]?.() ?? [{}]
  const { blocks, alone } = await planOf(db => jobPage(db, scope, { ...request, limit }))
  expect(alone).toContain(index)
  // 20 jobs, each with five rows beside it that are three blocks away at most, all hosts, and some of an index.
  expect(blocks).toBeLessThan(500)
})

test.each([
  ['snapshots', 'snapshots_newest'],
  ['snapshots of a repository', 'snapshots_repository_newest'],
])('%s are found without a look at those of others', async (name, index) => {
  const [request] = snapshotFilters[name]?.() ?? [{}]
  const { blocks, alone } = await planOf(db => snapshotPage(db, scope, { ...request, limit }))
  expect(alone).toContain(index)
  expect(blocks).toBeLessThan(500)
})
