// What goes on at repositories besides backups, and where retention is due and does not come through.
import { and, arrayOverlaps, asc, eq, inArray, isNull, sql } from 'drizzle-orm'
import type { Timing } from '@restic-manager/contract/timing'
import type { JobBrief } from '@restic-manager/contract/views'
import type { Db } from '../db/open.ts'
import { hosts, jobs, schedules } from '../db/schema.ts'
import { concernsItsRepository } from './claims.ts'
import { briefsOf } from './job-views.ts'
import { jobsIn, type Scope } from './scope.ts'
import { overdueSinceOf } from './schedule-views.ts'

export type RetentionPeriods = Pick<Timing, 'late' | 'missedGrace'>

/** So many jobs of all that wait for one repository are shown with it. */
const MOST_SHOWN = 20

/** Running or waiting forget, prune, check and unlock jobs, by repository, in the order they lined up. */
export async function maintenanceOf(
  db: Db,
  scope: Scope,
  repositoryIds: string[],
): Promise<Map<string, JobBrief[]>> {
  if (repositoryIds.length === 0) return new Map()
  const open = await db
    .select({ id: jobs.id, repositoryId: jobs.repositoryId })
    .from(jobs)
    .where(
      and(
        jobsIn(scope),
        inArray(jobs.repositoryId, repositoryIds),
        inArray(jobs.status, ['queued', 'accepted', 'running']),
        inArray(jobs.kind, ['forget', 'prune', 'check', 'unlock']),
        concernsItsRepository,
      ),
    )
    .orderBy(asc(sql`greatest(${jobs.createdAt}, ${jobs.notBefore})`), asc(jobs.id))
  const shown = [...Map.groupBy(open, job => job.repositoryId)].map(
    ([id, of]) => [id, of.slice(0, MOST_SHOWN)] as const,
  )
  const briefs = await briefsOf(
    db,
    shown.flatMap(([, of]) => of.map(job => job.id)),
  )
  return new Map(shown.map(([id, of]) => [id, of.flatMap(job => briefs.get(job.id) ?? [])]))
}

/**
 * Since when a planned forget has not succeeded on a repository for two of its periods, by repository; the oldest where there
 * are several. Each inner query is one look into an index; where the last success is younger than one period nothing is looked for.
 */
export async function retentionOverdueOf(
  db: Db,
  repositoryIds: string[],
  periods: RetentionPeriods,
): Promise<Map<string, Date>> {
  if (repositoryIds.length === 0) return new Map()
  const planned = await db
    .select({
      row: schedules,
      succeeded: sql<Record<string, string | null>>`(
        select jsonb_object_agg(wanted.id, (
          select jobs.finished_at from jobs
          where jobs.schedule_id = schedules.id and jobs.repository_id = wanted.id and jobs.status = 'succeeded'
          order by jobs.created_at desc, jobs.id desc limit 1))
        from unnest(schedules.repository_ids) as wanted(id))`,
    })
    .from(schedules)
    .innerJoin(hosts, and(eq(hosts.id, schedules.hostId), isNull(hosts.removedAt)))
    .where(
      and(
        eq(schedules.kind, 'forget'),
        isNull(schedules.deletedAt),
        arrayOverlaps(schedules.repositoryIds, repositoryIds),
        sql`exists (select 1 from unnest(${schedules.repositoryIds}) as wanted(id)
          left join standings on standings.schedule_id = ${schedules.id} and standings.repository_id = wanted.id
          where coalesce(greatest(standings.last_good_at, ${schedules.createdAt}) + ${schedules.periodSeconds} * interval '1 second' < now(), true))`,
      ),
    )
  const overdue = new Map<string, Date>()
  const now = new Date()
  for (const { row, succeeded } of planned)
    for (const id of row.repositoryIds) {
      const last = succeeded[id] ?? null
      const since = overdueSinceOf({ row, succeededAt: last === null ? null : new Date(last) }, periods, now)
      const before = overdue.get(id)
      if (since !== null && (before === undefined || since < before)) overdue.set(id, since)
    }
  return overdue
}
