// How backups went, added up: by host and day, of the fleet by day, and for each schedule how it stands. Never counted anew for a page.
import { sql } from 'drizzle-orm'
import { notifyAll } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { expiredThrough } from './expired-jobs.ts'

/** Changes that are counted in one step: what is beyond waits for the next. */
const STEP = 20_000

type Touched = { hostId: string; scheduleId: string | null; repositoryId: string }

const counts = ['succeeded', 'incomplete', 'failed', 'lost', 'missed', 'skipped'] as const
const each = (write: (name: string) => string) => sql.raw(counts.map(write).join(', '))

/**
 * Counts what has changed since the last time, and answers how many changes that were. Safe to run anywhere and several at once:
 * a change is counted by whoever takes it away.
 */
export async function countOutcomes(db: Db): Promise<number> {
  let counted = 0
  // Mostly there is nothing: no transaction is begun for that.
  const [some] = await db.execute(sql`select from outcome_changes limit 1`)
  if (some === undefined) return counted
  for (;;) {
    const step = await db.transaction(async tx => {
      const { taken, touched } = await takeChanges(tx)
      await refreshStandings(tx, touched)
      await notifyAll(tx, { host: touched.map(({ hostId }) => hostId) })
      return taken
    })
    counted += step
    if (step < STEP) return counted
  }
}

/** Rows go in by their keys, so that two who count at once cannot block each other. */
async function takeChanges(tx: Db): Promise<{ taken: number; touched: Touched[] }> {
  const [answer] = await tx.execute<{ taken: number; touched: Touched[] | null }>(sql`
    with due as (
      select id from outcome_changes order by id limit ${STEP} for update skip locked
    ), taken as (
      delete from outcome_changes using due where outcome_changes.id = due.id returning outcome_changes.*
    ), of_hosts as (
      insert into host_days (host_id, day, ${each(name => name)})
      select host_id, day, ${each(name => `sum(${name})`)} from taken
      where exists (select 1 from hosts where hosts.id = taken.host_id)
      group by host_id, day order by host_id, day
      on conflict (host_id, day) do update set ${each(name => `${name} = host_days.${name} + excluded.${name}`)}
    ), of_fleet as (
      insert into fleet_days (day, ${each(name => name)})
      select day, ${each(name => `sum(${name})`)} from taken group by day order by day
      on conflict (day) do update set ${each(name => `${name} = fleet_days.${name} + excluded.${name}`)}
    )
    select (select count(*)::integer from taken) as taken, (select jsonb_agg(touched) from (
      select distinct host_id as "hostId", schedule_id as "scheduleId", repository_id as "repositoryId" from taken) touched) as touched`)
  return { taken: answer?.taken ?? 0, touched: answer?.touched ?? [] }
}

/** What ran of one schedule on one repository. A host may name any schedule in what it reports: only its owner's jobs count. */
const ofTarget = sql`jobs.schedule_id = wanted.schedule_id and jobs.repository_id = wanted.repository_id
  and coalesce(jobs.for_host_id, jobs.host_id) = schedules.host_id`
const at = sql`coalesce(jobs.finished_at, jobs.created_at)`
/** Nobody reads further back than so many rows to say how long something has gone on. */
const MOST_ROWS = 1_000

/** Reads anew how these schedules stand. Each inner query is a look into an index. */
async function refreshStandings(tx: Db, touched: readonly Touched[]): Promise<void> {
  const keys = touched.flatMap(({ scheduleId, repositoryId }) =>
    scheduleId === null ? [] : [{ schedule_id: scheduleId, repository_id: repositoryId }],
  )
  if (keys.length === 0) return
  await tx.execute(sql`
    with wanted as (
      select distinct * from jsonb_to_recordset(${JSON.stringify(keys)}::jsonb) as wanted(schedule_id uuid, repository_id uuid)
    )
    insert into standings (schedule_id, repository_id, host_id, kind, status, job_id, reason, since, count, last_good_at, missed, missed_since)
    select wanted.schedule_id, wanted.repository_id, schedules.host_id, schedules.kind, ran.status, ran.id, ran.reason,
      coalesce(streak.since, partly.since, ran.at), coalesce(nullif(streak.count, 0), nullif(partly.count, 0), 0), good.at,
      coalesce(unused.count, 0), unused.since
    from wanted join schedules on schedules.id = wanted.schedule_id
    left join lateral (
      select jobs.created_at, ${at} as at from jobs
      where ${ofTarget} and jobs.status in ('succeeded', 'incomplete')
      order by jobs.created_at desc, jobs.id desc limit 1) good on true
    left join lateral (
      select jobs.id, jobs.status, jobs.reason, jobs.created_at, ${at} as at from jobs
      where ${ofTarget} and jobs.status in ('succeeded', 'incomplete', 'failed', 'lost')
        and jobs.created_at >= coalesce(good.created_at, '-infinity')
      order by jobs.created_at desc, jobs.id desc limit 1) ran on true
    left join lateral (
      select min(bad.at) as since, count(*)::integer as count from (
        select ${at} as at from jobs
        where ran.status in ('failed', 'lost') and ${ofTarget} and jobs.status in ('failed', 'lost')
          and jobs.created_at >= coalesce(good.created_at, '-infinity')
        order by jobs.created_at desc limit ${MOST_ROWS}) bad) streak on true
    left join lateral (
      select min(part.at) as since, count(*)::integer as count from (
        select newest.*, max(created_at) filter (where status = 'succeeded') over () as whole_at from (
          select jobs.status, jobs.created_at, ${at} as at from jobs
          where ran.status = 'incomplete' and ${ofTarget} and jobs.status in ('succeeded', 'incomplete')
          order by jobs.created_at desc, jobs.id desc limit ${MOST_ROWS}) newest) part
      where part.created_at > coalesce(part.whole_at, '-infinity')) partly on true
    left join lateral (
      select min(slot.from_slot) as since, sum(slot.slot_count)::integer as count from (
        select coalesce(jobs.not_run_from, jobs.scheduled_for, jobs.created_at) as from_slot, jobs.slot_count from jobs
        where ${ofTarget} and jobs.status in ('missed', 'expired') and jobs.created_at > coalesce(ran.created_at, '-infinity')
        order by jobs.created_at desc limit ${MOST_ROWS}) slot) unused on true
    order by wanted.schedule_id, wanted.repository_id
    on conflict (schedule_id, repository_id) do update set
      host_id = excluded.host_id, kind = excluded.kind, status = excluded.status, job_id = excluded.job_id, reason = excluded.reason,
      since = excluded.since, count = excluded.count, last_good_at = excluded.last_good_at, missed = excluded.missed,
      missed_since = excluded.missed_since`)
}

/**
 * Counts everything anew from the jobs there are, but for the days of which jobs have expired: what was counted then stays. In one
 * transaction: nobody sees it half done. For repairs, bulk loads and tests.
 */
export async function rebuildOutcomes(db: Db): Promise<void> {
  await db.transaction(async tx => {
    await tx.execute(sql`lock table jobs in share row exclusive mode`)
    await tx.execute(sql`delete from outcome_changes`)
    await tx.execute(sql`delete from host_days where day > ${expiredThrough}`)
    await tx.execute(sql`delete from fleet_days where day > ${expiredThrough}`)
    await tx.execute(sql`delete from standings`)
    const columns = each(name => name)
    const sums = each(name => `sum(changes.${name})`)
    await tx.execute(sql`
      insert into host_days (host_id, day, ${columns})
      select changes.host_id, changes.day, ${sums} from jobs, lateral outcome_changes_of(jobs.host_id, jobs.schedule_id, jobs.repository_id, jobs.kind, jobs.status, coalesce(jobs.scheduled_for, jobs.created_at), jobs.not_run_from, jobs.slot_count, 1) as changes
      where jobs.kind = 'backup' and changes.day > ${expiredThrough} group by 1, 2`)
    await tx.execute(sql`
      insert into fleet_days (day, ${columns})
      select changes.day, ${sums} from host_days changes where changes.day > ${expiredThrough} group by 1`)
    const touched = await tx.execute<Touched>(sql`
      select schedules.host_id as "hostId", schedules.id as "scheduleId", repository_id as "repositoryId"
      from schedules, unnest(schedules.repository_ids) as repository_id`)
    for (let first = 0; first < touched.length; first += STEP)
      await refreshStandings(tx, touched.slice(first, first + STEP))
  })
}
