// For tests and benchmarks only: a made-up fleet of any size in a folder of its own, and all that pages read of it.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { startEmbedded } from './db/embedded.ts'
import { migrateDatabase } from './db/migrate.ts'
import { type Db, openDatabase } from './db/open.ts'
import { makeSeal, type Seal } from './db/seal.ts'
import { hosts } from './db/schema.ts'
import { alertPage } from './fleet/alert-views.ts'
import { keepAttention } from './fleet/attention.ts'
import { countEntries } from './fleet/entry-counts.ts'
import { hostPage } from './fleet/host-views.ts'
import { jobPage } from './fleet/job-views.ts'
import { countOutcomes } from './fleet/outcomes.ts'
import { overviewOf } from './fleet/overview.ts'
import { readPlans } from './fleet/plans.ts'
import { listRepositories } from './fleet/repository-views.ts'
import type { Scope } from './fleet/scope.ts'
import { snapshotPage } from './fleet/snapshot-views.ts'
import { seedFleet } from './seed/seed-fleet.ts'

export type BigFleet = AsyncDisposable & {
  db: Db
  url: string
  seal: Seal
  postgres: string
  postgresPid: number
  most: string[]
  few: string[]
}

/** Always the same: a fleet that is kept is opened again. Its secrets are made up. */
const madeUpSeal = makeSeal(Buffer.alloc(32, 7))

/**
 * The fleet in `dataDir`, brought to this version's tables and summed up; made first where the folder holds none. `most` and `few`: a
 * tag that most of its hosts have, and one that few have.
 */
export async function openBigFleet({
  dataDir,
  note,
  ...wish
}: {
  dataDir: string
  hosts: number
  jobs: number
  note?: (sentence: string) => void
}): Promise<BigFleet> {
  const database = await startEmbedded({ dataDir, role: 'server' })
  await migrateDatabase(database.url)
  const limits = { databaseWait: 5_000, databaseAnswer: 3_600_000 }
  const { db, close } = openDatabase(database.url, { max: 10, timing: limits })
  if ((await db.$count(hosts)) === 0)
    await seedFleet(db, madeUpSeal, {
      ...{ ...wish, days: 60, seed: 1, onlineHours: 10_000 },
      ...(note === undefined ? {} : { note }),
    })
  await countOutcomes(db)
  await readPlans(db)
  await keepAttention(db)
  await db.execute(sql`vacuum analyze`)
  const tags = await db.execute<{ tag: string }>(sql`
    select tag from hosts, unnest(tags) as tag group by tag order by count(*) desc, tag`)
  const [version] = await db.execute<{ version: string }>(
    sql`select current_setting('server_version') as version`,
  )
  const pidFile = await readFile(join(dataDir, 'postgres/postmaster.pid'), 'utf8')
  return {
    ...{ postgresPid: Number.parseInt(pidFile, 10) },
    ...{ url: database.url, seal: madeUpSeal },
    ...{ db, postgres: version?.version ?? '', most: [tags[0]?.tag ?? ''], few: [tags.at(-1)?.tag ?? ''] },
    async [Symbol.asyncDispose]() {
      await close()
      await database.stop()
    },
  }
}

type Read = (db: Db, scope: Scope) => Promise<unknown>

/** What the Overview asks for. */
export const overviewRead: Read = overviewOf

/** The first page of each list, as the dashboard asks for it. `tag`: one that some hosts have. `hostId`: whose jobs and snapshots are asked for. */
export async function listReads(db: Db, tag: string, hostId?: string): Promise<Record<string, Read>> {
  const [one] = await db.execute<{ hostId: string; repositoryId: string; scheduleId: string }>(sql`
    select jobs.host_id as "hostId", jobs.repository_id as "repositoryId", jobs.schedule_id as "scheduleId" from jobs
    where jobs.schedule_id is not null and (${hostId ?? null}::uuid is null or jobs.host_id = ${hostId ?? null}::uuid) order by jobs.created_at desc, jobs.id limit 1`)
  const limit = 100
  const ofHosts =
    (over: object): Read =>
    (on, scope) =>
      hostPage(on, scope, { limit, sort: 'name', ...over })
  const ofJobs =
    (over: object): Read =>
    (on, scope) =>
      jobPage(on, scope, { limit, ...over })
  const DAY_MS = 86_400_000
  const day = { from: new Date(Date.now() - 5 * DAY_MS), until: new Date(Date.now() - 4 * DAY_MS) }
  return {
    'hosts by name': ofHosts({}),
    'hosts by last good backup': ofHosts({ sort: 'lastGoodBackup' }),
    'hosts that are late': ofHosts({ state: 'late' }),
    'hosts with a tag': ofHosts({ tags: [tag] }),
    'hosts by a word': ofHosts({ search: tag }),
    jobs: ofJobs({}),
    'jobs of a host': ofJobs({ hostId: one?.hostId }),
    'jobs of a repository': ofJobs({ repositoryId: one?.repositoryId }),
    'jobs of a schedule': ofJobs({ scheduleId: one?.scheduleId }),
    'jobs of a kind': ofJobs({ kinds: ['prune'] }),
    'jobs that failed': ofJobs({ statuses: ['failed'] }),
    'jobs that run': ofJobs({ statuses: ['accepted', 'running'] }),
    'jobs of a day': ofJobs(day),
    'failed jobs of a repository': ofJobs({ repositoryId: one?.repositoryId, statuses: ['failed'] }),
    'open alerts': (on, scope) => alertPage(on, scope, { which: 'open', limit }),
    'all alerts': (on, scope) => alertPage(on, scope, { which: 'all', limit }),
    repositories: (on, scope) => listRepositories(on, scope),
    'counts of the navigation': (on, scope) => countEntries(on, scope),
    snapshots: (on, scope) => snapshotPage(on, scope, { limit }),
    'snapshots of a host': (on, scope) => snapshotPage(on, scope, { limit, hostId: one?.hostId }),
    'snapshots of a repository': (on, scope) =>
      snapshotPage(on, scope, { limit, repositoryId: one?.repositoryId }),
  }
}

/** The least that can be asked: one row by its key. */
export const oneRow: Read = db =>
  db.execute(sql`select name from hosts where id = (select id from hosts order by name, id limit 1)`)
