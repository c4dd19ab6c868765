// The seed makes a fleet that every list can show, and the same one for the same seed.
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nodeEnvironment } from '@restic-manager/testkit/node-environment'
import type { Db } from '../db/open.ts'
import { auditEvents } from '../db/schema-operators.ts'
import { operatorRouter } from '../operator-api/router.ts'
import { testDatabase } from '../testing.ts'
import { routerParts } from '../testing-routers.ts'
import { seedFleet } from './seed-fleet.ts'

const wish = {
  hosts: 20,
  jobs: 500,
  days: 60,
  seed: 7,
  onlineHours: 24,
  now: new Date('2026-11-20T09:30:00Z'),
}

let parts: Awaited<ReturnType<typeof routerParts>>
beforeAll(async () => {
  parts = await routerParts()
  await seedFleet(parts.database.db, parts.database.seal, { ...wish, now: new Date() })
})
afterAll(() => parts.close())

test('every list shows a seeded fleet', async () => {
  const api = operatorRouter.createCaller(parts.operatorContext('admin'))
  const { rows: hosts } = await api.hosts.list({})
  const { rows: jobs } = await api.jobs.list({ limit: 200 })
  const repositories = await api.repositories.list()
  const [repository] = repositories
  expect(hosts).toHaveLength(20)
  expect(jobs).toHaveLength(200)
  expect(new Set(jobs.map(job => job.status)).size).toBeGreaterThan(2)
  expect((await api.snapshots.list({})).rows.length).toBeGreaterThan(50)
  expect(await api.schedules.list({ repositoryId: repository?.id })).not.toEqual([])
  for (const { id } of hosts) await api.hosts.get({ hostId: id })
  for (const { id } of jobs.slice(0, 20)) await api.jobs.get({ jobId: id })
  const overview = await api.overview.get()
  expect(overview.fleet.total).toBe(20)
  expect(overview.days).toHaveLength(30)
  expect(overview.storage.repositoryCount).toBe(repositories.length)
  expect((await api.alerts.list({})).rows.length).toBe(overview.attention.total)
  await api.enrolments.list()
  await api.audit.list({})
})

/** What stands in some tables, as one text. */
const marks = async (db: Db) =>
  (
    await db.execute(sql`select
      (select md5(string_agg(jobs::text, '' order by id)) from jobs) as jobs,
      (select md5(string_agg(hosts::text, '' order by id)) from hosts) as hosts,
      (select md5(string_agg(snapshots::text, '' order by repository_id, id)) from snapshots) as snapshots`)
  )[0]

test('the same seed makes the same fleet, another one another, and none is put beside hosts unasked', async () => {
  await using one = await testDatabase()
  await using two = await testDatabase()
  await seedFleet(one.db, one.seal, wish)
  await seedFleet(two.db, two.seal, wish)
  expect(await marks(one.db)).toEqual(await marks(two.db))
  await expect(seedFleet(one.db, one.seal, wish)).rejects.toThrow('holds hosts already')
  await seedFleet(one.db, one.seal, { ...wish, seed: 8, add: true })
  const [counted] = await one.db.execute<{ hosts: number }>(sql`select count(*)::integer as hosts from hosts`)
  expect(counted?.hosts).toBe(40)
})

test('the account that the program makes to sign in with stands in the audit log', async () => {
  await using database = await testDatabase()
  const folder = await mkdtemp(join(tmpdir(), 'rm-seed-'))
  const { db, url } = database
  const options = ['--hosts', '1', '--jobs', '0', '--email', 'seed@example.org']
  const env = { ...nodeEnvironment, DATABASE_URL: url, RM_DATA_DIR: folder }
  const program = join(import.meta.dirname, '../seed.ts')
  await promisify(execFile)(process.execPath, [program, ...options], { env })
  const rows = await db.select().from(auditEvents).where(eq(auditEvents.action, 'seed'))
  expect(rows).toMatchObject([{ targetKind: 'operator', targetName: 'seed@example.org' }])
  await rm(folder, { recursive: true })
})
