// What goes on at repositories besides backups, and where retention is due and does not come through.
import { and, asc, eq, inArray, isNull, type SQL, sql } from 'drizzle-orm'
import type { Timing } from '@restic-manager/contract/timing'
import type { JobBrief } from '@restic-manager/contract/views'
import type { Db } from '../db/open.ts'
import { hosts, jobs, schedules } from '../db/schema.ts'
import { isAmong } from './among.ts'
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
        isAmong(jobs.repositoryId, repositoryIds),
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

/** Up to so many repositories, the index on theirs finds their schedules sooner than a look at every schedule there is. */
const FEW_REPOSITORIES = 10

/** Of `from schedules planned, unnest(planned.repository_ids) as wanted(id)`: the pairs of these repositories. */
const plannedFor = (ids: string[]): SQL => {
  const list = sql.param(ids, schedules.repositoryIds)
  const isOne = sql`wanted.id = any(${list}::uuid[])`
  return ids.length > FEW_REPOSITORIES ? isOne : sql`planned.repository_ids && ${list}::uuid[] and ${isOne}`
}

/** Of a check that reads in turns, how many parts of this round are read; the first that is on, where a repository has several. */
export async function checkRotationsOf(
  db: Db,
  ids: string[],
): Promise<Map<string, { done: number; of: number }>> {
  if (ids.length === 0) return new Map()
  const found = await db.execute<{ id: string; done: number; of: number }>(sql`
    select turns.id, turns.parts as of, case when turns.parts = (
        select (jobs.spec #>> '{readPart,of}')::integer from jobs
        where jobs.schedule_id = turns.schedule_id and jobs.status = 'succeeded' and jobs.reported and jobs.spec ? 'readPart'
        order by jobs.created_at desc, jobs.id desc limit 1)
      then least(turns.next_check_part, turns.parts) - 1 else 0 end as done
    from (select distinct on (wanted.id) wanted.id, planned.id as schedule_id, planned.next_check_part,
        (planned.definition #>> '{options,readRotation}')::integer as parts
      from schedules planned, unnest(planned.repository_ids) as wanted(id)
      where planned.deleted_at is null and planned.kind = 'check' and planned.definition #> '{options,readRotation}' is not null
        and ${plannedFor(ids)}
      order by wanted.id, planned.enabled desc, planned.created_at) turns`)
  return new Map(found.map(({ id, ...turns }) => [id, turns]))
}

/**
 * Since when a planned forget has not succeeded on a repository for two of its periods, by repository; the oldest where there
 * are several. Where the last success is younger than one period nothing is looked for.
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
        // As a list of its own: looked up from each schedule, it is an index to go into for every forget there is.
        sql`${schedules.id} = any(array(select planned.id from schedules planned cross join unnest(planned.repository_ids) as wanted(id)
          left join standings on standings.schedule_id = planned.id and standings.repository_id = wanted.id
          where planned.kind = 'forget' and planned.deleted_at is null and ${plannedFor(repositoryIds)}
            and coalesce(greatest(standings.last_good_at, planned.created_at) + planned.period_seconds * interval '1 second' < now(), true)))`,
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
