// The Overview in one answer: every part is a look at what is kept added up, never at all jobs.
import { and, asc, inArray, sql } from 'drizzle-orm'
import type { Overview } from '@restic-manager/contract/overview'
import type { Db } from '../db/open.ts'
import { jobs } from '../db/schema.ts'
import { jobProgress } from '../db/schema-logs.ts'
import { attentionOf } from './alert-views.ts'
import { backupDays } from './backup-days.ts'
import { concernsItsRepository } from './claims.ts'
import { briefsOf } from './job-views.ts'
import { plannedLoad } from './planned-load.ts'
import { fewJobsIn, type Scope } from './scope.ts'
import { standingOf } from './standing-views.ts'
import { storageGrowth } from './storage-growth.ts'

const MOST_RUNNING = 6
const MOST_MAINTENANCE = 8

/** Everything the Overview shows, of what the scope sees. */
export async function overviewOf(db: Db, scope: Scope, now = new Date()): Promise<Overview> {
  const [standing, { attention, retentionTroubled }, running, maintenance, days, load, storage] =
    await Promise.all([
      standingOf(db, scope),
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
    .where(and(fewJobsIn(scope), sql`${jobs.status} = 'running'`))
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
        fewJobsIn(scope),
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
