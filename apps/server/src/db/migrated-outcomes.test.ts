// A database that has been in use: what the migrations add up of its jobs is what a recount finds.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate } from 'drizzle-orm/postgres-js/migrator'
import { expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import type { JobKind, JobStatus } from '@restic-manager/contract/job'
import { countOutcomes, rebuildOutcomes } from '../fleet/outcomes.ts'
import { testDatabase } from '../testing-database.ts'
import { migrateDatabase, migrationsFolder } from './migrate.ts'
import { connect, openDatabase } from './open.ts'

/** The first migration that knows of outcomes: databases in use were made by those before it. */
const first = '0020_outcomes'

const ids = {
  web: newId(),
  keeper: newId(),
  repository: newId(),
  second: newId(),
  hourly: newId(),
  forget: newId(),
  gone: newId(),
  unused: newId(),
}

type Made = { kind?: JobKind; status: JobStatus; at: string; from?: string; slots?: number; over?: object }
const job = ({ kind = 'backup', status, at, from, slots = 1, over = {} }: Made) => ({
  ...{ id: newId(), host_id: ids.web, repository_id: ids.repository, schedule_id: ids.hourly, kind, status },
  ...{ spec: {}, scheduled_for: at, created_at: at, finished_at: at, not_run_from: from ?? null },
  ...{ slot_count: slots, for_host_id: null, reason: null },
  ...over,
})

const recorded = () => [
  job({ status: 'succeeded', at: '2026-03-01T01:00:00Z' }),
  job({ status: 'succeeded', at: '2026-03-01T01:00:00Z', over: { repository_id: ids.second } }),
  job({ status: 'incomplete', at: '2026-03-01T23:59:59.999Z' }),
  job({ status: 'failed', at: '2026-03-02T00:00:00Z', over: { reason: 'locked' } }),
  job({ status: 'failed', at: '2026-03-02T01:00:00Z', over: { reason: 'unreachable' } }),
  job({ status: 'lost', at: '2026-03-02T02:00:00Z', over: { repository_id: ids.second } }),
  job({ status: 'missed', at: '2026-03-03T04:00:00Z', from: '2026-03-02T03:00:00Z', slots: 26 }),
  job({ status: 'expired', at: '2026-03-03T05:00:00Z' }),
  job({ status: 'cancelled', at: '2026-03-03T06:00:00Z' }),
  job({ status: 'running', at: '2026-03-03T07:00:00Z' }),
  job({ status: 'queued', at: '2026-03-03T08:00:00Z' }),
  // By hand, by a schedule that is gone, and by one that nobody ever made.
  job({ status: 'succeeded', at: '2026-03-03T09:00:00Z', over: { schedule_id: null, scheduled_for: null } }),
  job({ status: 'skipped', at: '2026-03-03T10:00:00Z', over: { schedule_id: ids.gone } }),
  job({ status: 'succeeded', at: '2026-03-03T11:00:00Z', over: { schedule_id: newId() } }),
  // Retention that the maintenance host runs for the host whose schedule it is.
  job({ kind: 'forget', status: 'succeeded', at: '2026-03-01T02:00:00Z', over: forKeeper() }),
  job({ kind: 'forget', status: 'failed', at: '2026-03-02T02:00:00Z', over: forKeeper() }),
  job({ kind: 'check', status: 'succeeded', at: '2026-03-02T02:00:00Z', over: { schedule_id: null } }),
]
function forKeeper() {
  return { host_id: ids.keeper, for_host_id: ids.web, schedule_id: ids.forget }
}

test('a database that holds jobs already is migrated with the sums that a recount finds, and goes on from them', async () => {
  await using database = await testDatabase()
  const name = `used_${Date.now()}`
  await database.sql`create database ${database.sql(name)}`
  const url = new URL(database.url)
  url.pathname = `/${name}`
  await makeAsBefore(url.href)

  await migrateDatabase(url.href)

  const { db, sql, close } = openDatabase(url.href, { max: 2 })
  const read = async () => ({
    hosts:
      await sql`select host_id, day::text, succeeded, incomplete, failed, lost, missed, skipped from host_days
      where succeeded + incomplete + failed + lost + missed + skipped > 0 order by host_id, day`,
    fleet: await sql`select day::text, succeeded, incomplete, failed, lost, missed, skipped from fleet_days
      where succeeded + incomplete + failed + lost + missed + skipped > 0 order by day`,
    standings: await sql`select * from standings order by schedule_id, repository_id`,
  })
  expect((await read()).fleet.map(day => Object.values(day))).toEqual([
    ['2026-03-01', 2, 1, 0, 0, 0, 0],
    ['2026-03-02', 0, 0, 2, 1, 21, 0],
    ['2026-03-03', 2, 0, 0, 0, 5, 3],
  ])

  await countOutcomes(db)
  const migrated = await read()
  expect(
    migrated.standings.map(of => [of['schedule_id'], of['repository_id'], of['status'], of['count']]),
  ).toEqual(
    [
      [ids.hourly, ids.repository, 'failed', 2],
      [ids.hourly, ids.second, 'lost', 1],
      [ids.forget, ids.repository, 'failed', 1],
      [ids.gone, ids.repository, null, 0],
      [ids.unused, ids.repository, null, 0],
    ].toSorted((one, other) => (`${one[0]} ${one[1]}` < `${other[0]} ${other[1]}` ? -1 : 1)),
  )
  const sizes = await sql`select repository_id, day::text, size_bytes::int from repository_days`
  expect([...sizes]).toEqual([{ repository_id: ids.repository, day: '2026-03-03', size_bytes: 4096 }])
  await rebuildOutcomes(db)
  expect(await read()).toEqual(migrated)

  await sql`update jobs set status = 'succeeded' where status = 'running'`
  await sql`delete from jobs where status = 'missed'`
  await countOutcomes(db)
  const changed = await read()
  expect(changed.fleet.at(-1)).toMatchObject({ day: '2026-03-03', succeeded: 3, missed: 0 })
  await rebuildOutcomes(db)
  expect(await read()).toEqual(changed)
  await close()
  await database.sql`drop database ${database.sql(name)}`
})

/** The tables of before, and in them a host with its records. */
async function makeAsBefore(url: string): Promise<void> {
  const folder = await mkdtemp('/tmp/rm-before-')
  const sql = connect(url, { max: 1 })
  try {
    await cp(migrationsFolder(), folder, { recursive: true })
    const path = join(folder, 'meta/_journal.json')
    const journal = JSON.parse(await readFile(path, 'utf8')) as { entries: { tag: string }[] }
    journal.entries = journal.entries.filter(({ tag }) => tag < first)
    await writeFile(path, JSON.stringify(journal))
    await migrate(drizzle(sql), { migrationsFolder: folder })
    const rows = (values: object[]) => JSON.stringify(values)
    const hosts = [
      { id: ids.web, name: 'web-1', hostname: 'web-1', public_key: 'web' },
      { id: ids.keeper, name: 'keep-1', hostname: 'keep-1', public_key: 'keep' },
    ]
    await sql`insert into hosts (id, name, hostname, public_key)
      select id, name, hostname, public_key from jsonb_populate_recordset(null::hosts, ${rows(hosts)}::text::jsonb)`
    await sql`insert into repositories (id, name, kind, url, size_bytes, stats_at) values
      (${ids.repository}, 'one', 's3', 's3:one', 4096, '2026-03-03T22:00:00Z'), (${ids.second}, 'two', 's3', 's3:two', null, null)`
    const schedule = { host_id: ids.web, enabled: true, manual: false, cron: '0 * * * *', time_zone: 'UTC' }
    const schedules = [
      { id: ids.hourly, name: 'hourly', kind: 'backup', repository_ids: [ids.repository, ids.second] },
      { id: ids.forget, name: 'thin', kind: 'forget', repository_ids: [ids.repository] },
      {
        id: ids.gone,
        name: 'gone',
        kind: 'backup',
        repository_ids: [ids.repository],
        deleted_at: '2026-03-02',
      },
      { id: ids.unused, name: 'unused', kind: 'check', repository_ids: [ids.repository] },
    ].map(each => Object.assign({ definition: {}, deleted_at: null }, schedule, each))
    await sql`insert into schedules (id, host_id, name, kind, repository_ids, enabled, manual, cron, time_zone, definition, deleted_at)
      select id, host_id, name, kind, repository_ids, enabled, manual, cron, time_zone, definition, deleted_at
      from jsonb_populate_recordset(null::schedules, ${rows(schedules)}::text::jsonb)`
    await sql`insert into jobs (id, host_id, repository_id, schedule_id, kind, status, spec, scheduled_for, created_at, finished_at,
        not_run_from, slot_count, for_host_id, reason)
      select id, host_id, repository_id, schedule_id, kind, status, spec, scheduled_for, created_at, finished_at,
        not_run_from, slot_count, for_host_id, reason from jsonb_populate_recordset(null::jobs, ${rows(recorded())}::text::jsonb)`
  } finally {
    await sql.end()
    await rm(folder, { recursive: true, force: true })
  }
}
