// For tests and benchmarks only: logs and snapshots of years for a made-up fleet, and every read of pages, agents and the clock that meets them.
import { zstdCompressSync } from 'node:zlib'
import { sql } from 'drizzle-orm'
import { encodeLine } from '@restic-manager/contract/log'
import { timing } from '@restic-manager/contract/timing'
import type { HostSession } from './context.ts'
import type { Db } from './db/open.ts'
import type { Seal } from './db/seal.ts'
import { currentTimeline } from './db/timeline.ts'
import { auditPage } from './fleet/audit-views.ts'
import { changesWithin } from './fleet/changes-within.ts'
import { beginExpiry, expiryStatement } from './fleet/expired-jobs.ts'
import { countFleet } from './fleet/fleet-counts.ts'
import { viewHost } from './fleet/host-views.ts'
import { briefsOf, liveJob, viewJob } from './fleet/job-views.ts'
import { logDaySizes, makeLogDay } from './fleet/log-days.ts'
import { readLog } from './fleet/logs.ts'
import { nextOrders, nothingSent } from './fleet/orders.ts'
import { overviewOf } from './fleet/overview.ts'
import { listRepositories, repositoriesOf, viewRepository } from './fleet/repository-views.ts'
import { listSchedules, viewSchedule } from './fleet/schedule-views.ts'
import { scheduleSetFor } from './fleet/schedule-sets.ts'
import type { Scope } from './fleet/scope.ts'
import { findInFleet } from './fleet/search.ts'
import { viewSnapshot } from './fleet/snapshot-views.ts'
import { sizesOfRepository } from './fleet/storage-growth.ts'
import { listReads } from './testing-big-fleet.ts'

/** Lines of a row of logs, and rows of a job. */
export const linesInRow = 500
const rowsOfJob = 4
const logDaysBack = 30

/** Makes snapshots of before those there are until `count` are there: each host and repository goes further back in its own steps. */
export async function growSnapshots(db: Db, count: number): Promise<void> {
  const held = await db.execute<{ n: number }>(sql`select count(*)::integer as n from snapshots`)
  const there = held[0]?.n ?? 0
  if (there === 0 || there >= count) return
  const rounds = Math.ceil(count / there) - 1
  await db.transaction(async tx => {
    await tx.execute(sql`set local work_mem = '256MB'`)
    await tx.execute(sql`
      insert into snapshots (repository_id, id, short_id, taken_at, hostname, paths, tags, size_bytes, file_count, host_id, job_id)
      select repository_id, mark, substr(mark, 1, 8), taken_at - round * interval '14 days', hostname, paths, tags, size_bytes, file_count, host_id,
        overlay(overlay(substr(mark, 1, 32) placing '4' from 13) placing '8' from 17)::uuid
      from generate_series(1, ${rounds}::int) as round, snapshots, lateral (select md5(id || round) || md5(round || id) as mark) as made
      limit ${count - there}`)
    await tx.execute(sql`truncate snapshot_counts`)
    await tx.execute(sql`
      insert into snapshot_counts (repository_id, host_id, count)
      select repository_id, host_id, count(*) from snapshots where host_id is not null group by 1, 2`)
  })
  await db.execute(sql`vacuum analyze snapshots`)
}

/** Gives the newest jobs logs, four rows of 500 lines each, until so many lines are there. They lie with the last 30 days. */
export async function growLogs(db: Db, lines: number): Promise<void> {
  const wanted = Math.round(lines / linesInRow / rowsOfJob)
  const held = await db.execute<{ n: number }>(
    sql`select count(*)::integer as n from jobs where log_day is not null`,
  )
  if ((held[0]?.n ?? 0) >= wanted) return
  const today = Date.now()
  for (let ago = 0; ago <= logDaysBack; ago += 1)
    await makeLogDay(db, new Date(today - ago * 86_400_000).toISOString().slice(0, 10))
  const blocks = JSON.stringify(Array.from({ length: 8 }, (_, seed) => blockOf(seed).toString('base64')))
  await db.execute(sql`
    update jobs set next_log_seq = ${rowsOfJob * linesInRow}::int, last_log_seq = ${rowsOfJob * linesInRow - 1}::int,
      log_day = (now() at time zone 'utc')::date - (place % ${logDaysBack})::int
    from (select id, row_number() over (order by created_at desc, id) as place from jobs
      where status in ('succeeded', 'incomplete', 'failed') and log_day is null order by created_at desc, id limit ${wanted}) newest
    where newest.id = jobs.id`)
  for (let ago = 0; ago < logDaysBack; ago += 1)
    await db.execute(sql`
      insert into log_blocks (day, job_id, host_id, first_seq, count, started_at, block)
      select log_day, id, host_id, part * ${linesInRow}::int, ${linesInRow}::int, created_at,
        decode(${blocks}::jsonb ->> ((part + ${ago}::int) % 8), 'base64')
      from jobs, generate_series(0, ${rowsOfJob - 1}::int) as part
      where log_day = (now() at time zone 'utc')::date - ${ago}::int
      on conflict do nothing`)
  await db.execute(sql`vacuum analyze jobs`)
  await db.execute(sql`vacuum analyze log_blocks`)
}

/** 500 lines as they lie in the database. */
function blockOf(seed: number): Buffer {
  const line = (n: number) =>
    `new       /srv/data/${(n * 7_919 + seed * 104_729).toString(36)}/${(n * n * 31 + seed).toString(36)}.pdf, saved in 0.${n}s (${(n * 37.77).toFixed(3)} KiB added)`
  return zstdCompressSync(
    Array.from({ length: linesInRow }, (_, n) => encodeLine(n, 'stdout', line(n))).join(''),
  )
}

type Read = (db: Db, scope: Scope) => Promise<unknown>
type One = Record<
  'hostId' | 'repositoryId' | 'scheduleId' | 'jobId' | 'loggedId' | 'snapshotId' | 'tag',
  string
>

/** Every read whose tables grow: of pages and their subscriptions, of what agents subscribe to, of metrics. About a host of the scope. */
export async function growthReads(db: Db, seal: Seal, scope: Scope): Promise<Record<string, Read>> {
  const [one] = await db.execute<One>(sql`
    select jobs.host_id as "hostId", jobs.repository_id as "repositoryId", jobs.schedule_id as "scheduleId", jobs.id as "jobId", hosts.tags[1] as tag,
      (select id from jobs logged where log_day is not null and logged.host_id = jobs.host_id order by created_at desc limit 1) as "loggedId",
      (select id from snapshots where snapshots.repository_id = jobs.repository_id and snapshots.host_id = jobs.host_id order by taken_at limit 1) as "snapshotId"
    from jobs join hosts on hosts.id = jobs.host_id
    where jobs.schedule_id is not null and hosts.quarantined_at is null and jobs.kind = 'backup' and jobs.status = 'succeeded'
      and (${scope === undefined} or hosts.tags && ${sql.param([...(scope ?? [])])}::text[])
    order by jobs.created_at desc, jobs.id limit 1`)
  if (one === undefined) throw new Error('This fleet has no jobs.')
  const { hostId, repositoryId, scheduleId, jobId, loggedId = jobId, snapshotId, tag } = one
  const [session] = await db.execute<{ session: string; timeline: string }>(sql`
    select session_number as session, ${currentTimeline} as timeline from hosts where id = ${hostId}`)
  const agent = {
    id: hostId,
    session: Number(session?.session),
    timeline: session?.timeline,
  } as unknown as HostSession
  return {
    ...(await listReads(db, tag, hostId)),
    overview: overviewOf,
    'a host': (on, scope) => viewHost(on, hostId, scope),
    repositories: (on, scope) => listRepositories(on, scope),
    'repositories of a host': (on, scope) => repositoriesOf(on, hostId, scope),
    'a repository': on => viewRepository(on, repositoryId),
    'sizes of a repository': on => sizesOfRepository(on, { repositoryId, days: 365 }),
    'schedules of a host': (on, scope) => listSchedules(on, scope, { hostId }, timing),
    'schedules of a repository': (on, scope) => listSchedules(on, scope, { repositoryId }, timing),
    'a schedule': on => viewSchedule(on, scheduleId, timing),
    'a snapshot': (on, scope) => viewSnapshot(on, { repositoryId, snapshotId }, scope),
    'words in the fleet': (on, scope) => findInFleet(on, scope, { text: tag, limit: 20 }),
    'an id in the fleet': (on, scope) => findInFleet(on, scope, { text: jobId.slice(0, 8), limit: 20 }),
    'audit log': (on, scope) => auditPage(on, scope, { limit: 100 }),
    'audit log of a host': (on, scope) => auditPage(on, scope, { limit: 100, hostId }),
    'a job': on => viewJob(on, jobId),
    'jobs by id': on => briefsOf(on, [jobId]),
    'jobs.follow': (on, scope) => liveJob(on, jobId, scope),
    'jobs.tail at the start': (on, scope) =>
      readLog(on, { jobId: loggedId, fromSeq: 0, limit: 1_000 }, scope),
    'jobs.tail at the end': (on, scope) =>
      readLog(on, { jobId: loggedId, fromSeq: 1_990, limit: 1_000 }, scope),
    'live.changes': (on, scope) =>
      changesWithin(on, scope, [
        { topic: 'host', id: hostId },
        { topic: 'job', id: jobId },
        { topic: 'repository', id: repositoryId },
        { topic: 'snapshots', id: repositoryId },
      ]),
    'agent.orders': on => nextOrders(on, seal, agent, nothingSent()),
    'schedule.set': on => scheduleSetFor(on, agent),
    'sizes of logs': on => logDaySizes(on),
    metrics: on => countFleet(on),
  }
}

/** One step of the chore that removes old jobs. It changes what it reads: to be undone. */
export const expiryStep: Read = async db => {
  await beginExpiry(db)
  const after = { at: '-infinity', id: '00000000-0000-0000-0000-000000000000' }
  await db.execute(expiryStatement({ days: 30, after, step: 500 }))
}
