// The Overview in one answer: every part is a look at what is kept added up, never at all jobs.
import { and, asc, inArray, sql } from 'drizzle-orm'
import type { PgColumn } from 'drizzle-orm/pg-core'
import type { Overview } from '@restic-manager/contract/overview'
import type { BackupDay } from '@restic-manager/contract/days'
import type { Db } from '../db/open.ts'
import { jobProgress, jobs } from '../db/schema.ts'
import { fleetDays, hostDays } from '../db/schema-outcomes.ts'
import { attentionOf, troubledRetention } from './alert-views.ts'
import { concernsItsRepository } from './claims.ts'
import { briefsOf } from './job-views.ts'
import { plannedLoad } from './planned-load.ts'
import { jobsIn, ofHostsIn, type Scope } from './scope.ts'
import { standingOf } from './standing-views.ts'
import { storageGrowth } from './storage-growth.ts'

const MOST_RUNNING = 6
const MOST_MAINTENANCE = 8
const DAYS = 30
const DAY_MS = 86_400_000

/** Everything the Overview shows, of what the scope sees. */
export async function overviewOf(db: Db, scope: Scope, now = new Date()): Promise<Overview> {
  const [standing, retentionTroubled, attention, running, maintenance, days, load, storage] =
    await Promise.all([
      standingOf(db, scope),
      troubledRetention(db, scope),
      attentionOf(db, scope),
      runningNow(db, scope),
      maintenanceNow(db, scope),
      backupDays(db, scope, now),
      plannedLoad(db, scope, now),
      storageGrowth(db, scope, now),
    ])
  return {
    at: now,
    fleet: { ...standing, retentionTroubled },
    attention,
    running,
    maintenance,
    days,
    load,
    storage,
  }
}

/** What is open of some kind: the first few whole, and how many there are. One look into the index of open jobs. */
async function runningNow(db: Db, scope: Scope): Promise<Overview['running']> {
  const open = await db
    .select({
      id: jobs.id,
      progress: jobProgress.progress,
      progressAt: jobProgress.updatedAt,
      total: sql<number>`count(*) over ()::integer`,
    })
    .from(jobs)
    .leftJoin(jobProgress, sql`${jobProgress.jobId} = ${jobs.id}`)
    .where(and(jobsIn(scope), sql`${jobs.status} = 'running'`))
    .orderBy(asc(jobs.startedAt), asc(jobs.id))
    .limit(MOST_RUNNING)
  const briefs = await briefsOf(
    db,
    open.map(({ id }) => id),
  )
  return {
    total: open[0]?.total ?? 0,
    rows: open.flatMap(({ id, progress, progressAt }) => {
      const brief = briefs.get(id)
      return brief === undefined ? [] : [{ ...brief, progress, progressAt }]
    }),
  }
}

async function maintenanceNow(db: Db, scope: Scope): Promise<Overview['maintenance']> {
  const open = await db
    .select({ id: jobs.id, total: sql<number>`count(*) over ()::integer` })
    .from(jobs)
    .where(
      and(
        jobsIn(scope),
        inArray(jobs.status, ['queued', 'accepted', 'running']),
        inArray(jobs.kind, ['forget', 'prune', 'check', 'unlock']),
        concernsItsRepository,
      ),
    )
    .orderBy(asc(sql`greatest(${jobs.createdAt}, ${jobs.notBefore})`), asc(jobs.id))
    .limit(MOST_MAINTENANCE)
  const briefs = await briefsOf(
    db,
    open.map(({ id }) => id),
  )
  return { total: open[0]?.total ?? 0, rows: open.flatMap(({ id }) => briefs.get(id) ?? []) }
}

const dayOf = (at: number) => new Date(at).toISOString().slice(0, 10)

/** The last 30 days, those on which nothing was planned too. */
async function backupDays(db: Db, scope: Scope, now: Date): Promise<BackupDay[]> {
  const days = Array.from({ length: DAYS }, (_, back) => dayOf(now.getTime() - (DAYS - 1 - back) * DAY_MS))
  const since = sql`${days[0]}::date`
  const rows =
    scope === undefined
      ? await db
          .select()
          .from(fleetDays)
          .where(sql`${fleetDays.day} >= ${since}`)
      : await sumOfHosts(db, scope, since)
  const known = new Map(rows.map(row => [row.day, row]))
  const none = { succeeded: 0, incomplete: 0, failed: 0, lost: 0, missed: 0, skipped: 0 }
  return days.map(day => known.get(day) ?? Object.assign({ day }, none))
}

function sumOfHosts(db: Db, scope: Scope, since: ReturnType<typeof sql>): Promise<BackupDay[]> {
  const sum = (column: PgColumn) => sql<number>`sum(${column})::integer`
  return db
    .select({
      day: hostDays.day,
      succeeded: sum(hostDays.succeeded),
      incomplete: sum(hostDays.incomplete),
      failed: sum(hostDays.failed),
      lost: sum(hostDays.lost),
      missed: sum(hostDays.missed),
      skipped: sum(hostDays.skipped),
    })
    .from(hostDays)
    .where(and(sql`${hostDays.day} >= ${since}`, ofHostsIn(scope, hostDays.hostId)))
    .groupBy(hostDays.day)
}
