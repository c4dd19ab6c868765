// Jobs that are old go, with their logs, in small steps. What something still needs to know of stays, and so does what was counted.
import { setTimeout as sleep } from 'node:timers/promises'
import { type SQL, sql } from 'drizzle-orm'
import type { Db } from '../db/open.ts'
import { readJobDays } from './settings.ts'
import { readTwoClocks } from './two-clocks.ts'

const usual = {
  /** Jobs that are looked at in one transaction. */
  step: 500,
  /** How long a round goes on. What is left waits for the next. */
  forMs: 60_000,
}

const watermark = 'jobs_expired_through'

/** The newest day (UTC, of its slot) of a job that has expired: outcomes up to there cannot be counted anew. A piece of SQL. */
export const expiredThrough: SQL = sql`coalesce(
  (select (value #>> '{}')::date from settings where name = ${watermark}), '-infinity'::date)`

/** `clocksApartMs`: how far the database's clock is from this server's, when that is too far to remove anything by it. */
export type ExpiredJobs = { removed: number; clocksApartMs?: number }

/**
 * Removes jobs that ended more than the setting's days ago, oldest first, and what hangs on them. Safe to run anywhere, at any time, twice, and
 * several at once. Between steps it rests as long as the step took.
 */
export async function removeExpiredJobs(
  db: Db,
  wish: Partial<typeof usual> & { now?: () => number } = {},
): Promise<ExpiredJobs> {
  const { step, forMs, now } = { ...usual, ...wish }
  const clock = await readTwoClocks(db, now)
  if (clock.apartMs !== undefined) return { removed: 0, clocksApartMs: clock.apartMs }
  const days = await readJobDays(db)
  const end = performance.now() + forMs
  let removed = 0
  let after: Place = { at: '-infinity', id: '00000000-0000-0000-0000-000000000000' }
  for (;;) {
    const begun = performance.now()
    const taken = await removeStep(db, { days, after, step })
    removed += taken.removed
    if (taken.last === null || performance.now() > end) return { removed }
    after = taken.last
    await sleep(performance.now() - begun)
  }
}

/** How far the walk has come: the next job is the one after this. */
type Place = { at: string; id: string }

/**
 * One step of the walk over jobs by age. A job goes when none of these needs it:
 * - what is still open, and what the host may not have heard: a job we only gave up, as long as the host has not been there since;
 * - the standing of a schedule, of a host, of a repository: the newest job of each kind and ending stays;
 * - a fact that comes again: the newest slot a host fired stays, and while a later slot failed too nothing is tried again;
 * - a line of attempts, whose numbers must not be given twice: the last of it goes once the first is gone;
 * - a snapshot it made, an alert that is open, a job that waits for it.
 */
async function removeStep(
  db: Db,
  { days, after, step }: { days: number; after: Place; step: number },
): Promise<{ removed: number; last: Place | null }> {
  return db.transaction(async tx => {
    await beginExpiry(tx)
    const [done] = await tx.execute<{ removed: number; at: string | null; id: string | null }>(
      expiryStatement({ days, after, step }),
    )
    const { removed = 0, at = null, id = null } = done ?? {}
    return { removed, last: at === null || id === null ? null : { at, id } }
  })
}

/**
 * For the rest of a transaction: triggers do not take from the counts what a job added, and who looks for one newer job stops at the
 * first. Without the second the planner, which expects few, fetches all jobs of a schedule to sort them.
 */
export async function beginExpiry(tx: Db): Promise<void> {
  await tx.execute(
    sql`select set_config('restic_manager.expiring', 'on', true), set_config('enable_bitmapscan', 'off', true)`,
  )
}

/** Each look at other rows is a look into an index. Written as values, which are never turned into a join over all jobs. */
export const expiryStatement = ({
  days,
  after,
  step,
}: {
  days: number
  after: Place
  step: number
}): SQL => sql`
  with old as (select now() - ${days}::int * interval '1 day' as at), told as materialized (
    select job_id from alerts where cleared_at is null and job_id is not null
  ), awaited as materialized (
    select waits_for_job_id as job_id from jobs where status = 'queued' and released_at is null and waits_for_job_id is not null
  ), due as materialized (
    select id, host_id, repository_id, schedule_id, kind, status, reported, retry_of, attempt, scheduled_for, created_at,
      coalesce(finished_at, created_at) as ended_at
    from jobs where created_at < (select at from old)
      and (created_at, id) > (${after.at}::timestamptz, ${after.id}::uuid)
    order by created_at, id limit ${step}
  ), free as materialized (
    select due.id, due.status, due.reported from due
    where due.status in ('succeeded', 'incomplete', 'failed', 'cancelled', 'skipped', 'missed', 'expired')
      and due.ended_at < (select at from old)
      and (due.reported or due.status = 'missed'
        or (select hosts.removed_at is not null or hosts.last_seen_at > due.ended_at + interval '1 day' from hosts where hosts.id = due.host_id))
      and (select true from jobs newer
        where due.schedule_id is not null and newer.schedule_id = due.schedule_id and newer.created_at > due.created_at
          and newer.repository_id = due.repository_id and newer.host_id = due.host_id and newer.kind = due.kind and newer.status = due.status
          and (due.scheduled_for is null or newer.scheduled_for > due.scheduled_for)
        order by newer.created_at, newer.id limit 1
      ) is not distinct from (case when due.schedule_id is not null then true end)
      and (select true from jobs newer
        where due.schedule_id is null and newer.host_id = due.host_id and newer.created_at > due.created_at
          and newer.schedule_id is null and newer.repository_id = due.repository_id and newer.kind = due.kind and newer.status = due.status
        order by newer.created_at, newer.id limit 1
      ) is not distinct from (case when due.schedule_id is null then true end)
      and (select due.scheduled_for < schedules.newest_fire_for from schedules where schedules.id = due.schedule_id) is not false
      and (due.retry_of is null
        or (select true from jobs later where later.retry_of = due.retry_of and later.attempt > due.attempt limit 1)
        or (select true from jobs first where first.id = due.retry_of) is null)
      and (select true from snapshots where snapshots.job_id = due.id limit 1) is null
      and due.id not in (select job_id from told) and due.id not in (select job_id from awaited)
  ), gone as (
    delete from jobs using free where jobs.id = free.id and jobs.status = free.status and jobs.reported = free.reported
    returning (coalesce(jobs.scheduled_for, jobs.created_at) at time zone 'utc')::date as day
  ), noted as (
    insert into settings (name, value) select ${watermark}, to_jsonb(max(day)::text) from gone having count(*) > 0
    on conflict (name) do update set value = excluded.value where settings.value #>> '{}' < excluded.value #>> '{}'
  )
  select (select count(*)::integer from gone) as removed, last.created_at::text as at, last.id
  from (values (1)) as one left join lateral (
    select created_at, id from due where (select count(*) from due) = ${step} order by created_at desc, id desc limit 1) last on true`
