// The records of a believable fleet: one statement makes the job of every slot, another the snapshots of what was kept.
import { sql } from 'drizzle-orm'
import { slotsBetween } from '@restic-manager/contract/cron'
import type { Db } from '../db/open.ts'
import type { PlannedHost } from './plan.ts'
import type { PlacedRepository } from './rows.ts'
import type { PlannedSchedule } from './schedules.ts'

const DAY_MS = 86_400_000

type Records = {
  hosts: readonly PlannedHost[]
  placed: readonly PlacedRepository[]
  schedules: readonly PlannedSchedule[]
  seed: number
  now: Date
  days: number
  jobs: number
  running: number
}

/** Makes the newest `jobs` records of the plan, and a few jobs that run. Answers how many there are. */
export async function putJobs(tx: Db, records: Records): Promise<number> {
  await stageHabits(tx, records)
  await stagePlan(tx, records)
  await stageSlots(tx, records)
  const made = await tx.execute(insertJobs(records))
  await tx.execute(insertProgress(records.now))
  return made.count
}

/** How each host's backups go, in a table of this transaction. */
async function stageHabits(tx: Db, { hosts, now }: Records) {
  const at = (daysAgo: number | null) =>
    daysAgo === null ? null : new Date(now.getTime() - daysAgo * DAY_MS).toISOString()
  const rows = hosts.map(({ id, habit, sizeBytes, files, resticVersion, paths, name }) => ({
    ...{ id, fails: habit.fails, incomplete: habit.incomplete, misses: habit.misses, reason: habit.reason },
    ...{ failing: at(habit.failingDays), silent: at(habit.silentDays), unread: at(habit.incompleteDays) },
    ...{ size: sizeBytes, files, restic: resticVersion, path: paths[0] ?? '/', name },
  }))
  await tx.execute(sql`create temporary table seed_hosts on commit drop as
    select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as each(id uuid, name text, fails float8, incomplete float8,
      misses float8, reason text, failing timestamptz, silent timestamptz, unread timestamptz, size bigint, files bigint, restic text, path text)`)
}

/** A row for each schedule and repository, with who runs it. */
async function stagePlan(tx: Db, { schedules, placed }: Records) {
  const rows = schedules.flatMap(({ id, hostId, draft, repositories }) =>
    repositories.flatMap(place => {
      const repository = placed[place]
      return repository === undefined
        ? []
        : [
            {
              id,
              host: hostId,
              kind: draft.kind,
              repository: repository.id,
              cron: draft.cron,
              zone: draft.timeZone,
              jitter: draft.jitterSeconds,
            },
          ]
    }),
  )
  await tx.execute(sql`create temporary table seed_plan on commit drop as
    select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as each(id uuid, host uuid, kind text, repository uuid, cron text, zone text, jitter integer)`)
}

/** The slots of each timetable once, however many schedules share it. */
async function stageSlots(tx: Db, { schedules, now, days }: Records) {
  const from = new Date(now.getTime() - days * DAY_MS)
  await tx.execute(
    sql`create temporary table seed_slots (cron text, zone text, slot timestamptz) on commit drop`,
  )
  const seen = new Set<string>()
  for (const { draft } of schedules) {
    const key = `${draft.cron} ${draft.timeZone}`
    if (seen.has(key)) continue
    seen.add(key)
    const slots = slotsBetween(draft, from, now).map(slot => slot.toISOString())
    await tx.execute(sql`insert into seed_slots
      select ${draft.cron}, ${draft.timeZone}, slot::timestamptz from jsonb_array_elements_text(${JSON.stringify(slots)}::jsonb) as slot`)
  }
  await tx.execute(sql`analyze seed_hosts, seed_plan, seed_slots`)
}

/** A share from 0 to 1 out of some digits of the job's own hash. */
const share = (from: number) => sql.raw(`(('x' || substr(mark, ${from}, 7))::bit(28)::integer / 268435456.0)`)

/**
 * `mark` is the hash of a slot and repository under the seed: the id of its job and all its chances are digits of it. The rows go
 * in by time, as they would have come.
 */
function insertJobs({ seed, now, jobs, running }: Records) {
  const today = now.toISOString()
  return sql`
    with drawn as (
      select plan.*, slots.slot, md5(${String(seed)} || plan.id || plan.repository || slots.slot) as mark
      from seed_plan plan join seed_slots slots using (cron, zone)
      order by slots.slot desc, plan.id, plan.repository limit ${jobs}
    ), decided as (
      select drawn.*, ${share(1)} as luck, ${share(8)} as size_luck, hosts.name, hosts.reason, hosts.size, hosts.files, hosts.restic, hosts.path,
        case
          when slot >= hosts.silent then 'missed'
          when drawn.kind <> 'backup' then case when ${share(1)} < 0.02 or slot >= hosts.failing then 'failed' else 'succeeded' end
          when slot >= hosts.failing then 'failed'
          when ${share(1)} < hosts.fails then 'failed'
          when ${share(15)} < hosts.misses then 'missed'
          when ${share(22)} < 0.002 then 'skipped'
          when ${share(22)} < 0.0025 then 'expired'
          when ${share(22)} < 0.003 then 'cancelled'
          when ${share(22)} < 0.0032 then 'lost'
          when slot >= hosts.unread or ${share(8)} < hosts.incomplete then 'incomplete'
          else 'succeeded' end as status
      from drawn join seed_hosts hosts on hosts.id = drawn.host
    ), timed as (
      select decided.*,
        slot + jitter * ${share(22)} * interval '1 second' as begun,
        greatest(20, least(5400, size / 4e8 * (0.5 + size_luck))) * interval '1 second' as took
      from decided order by slot, mark
    ), latest as (
      select mark from (
        select distinct on (host) mark, host from timed where kind = 'backup' and status = 'succeeded' and slot > ${today}::timestamptz - interval '26 hours'
        order by host, slot desc) candidates order by mark limit ${running}
    ), final as (
      select timed.*, latest.mark is not null as runs, status not in ('missed', 'skipped', 'expired') as ran
      from timed left join latest using (mark)
    )
      insert into jobs (id, host_id, repository_id, kind, status, reported, spec, schedule_id, scheduled_for, slot_count, released_at, created_at,
        accepted_at, started_at, finished_at, command, restic_version, exit_code, reason, error, stats, warnings, last_log_seq)
      select overlay(overlay(mark placing '4' from 13) placing '8' from 17)::uuid, host, repository, kind,
        case when runs then 'running' else status end, not runs and status not in ('lost', 'expired', 'skipped') and not (status = 'missed' and reason_given = 'not_reported'),
        case when kind = 'backup' then jsonb_build_object('paths', jsonb_build_array(path)) else '{}'::jsonb end, id, slot, 1, slot, slot,
        case when ran then begun end, case when ran then case when runs then ${today}::timestamptz - least(took, interval '50 minutes') * (0.1 + 0.8 * size_luck) else begun + interval '4 seconds' end end,
        case when ran and not runs and status <> 'lost' then least(begun + took, ${today}::timestamptz) end,
        case when ran then 'restic ' || kind || ' --json --tag rm-host=' || host || case when kind = 'backup' then ' ' || path else '' end end,
        case when ran then restic end, case when runs or not ran then null when status = 'failed' then 1 when status = 'incomplete' then 3 when status = 'succeeded' then 0 end,
        case when runs then null else reason_given end,
        case when status = 'failed' then 'Fatal: ' || reason_given || ': the repository could not be used' end,
        case when runs or kind <> 'backup' or status not in ('succeeded', 'incomplete') then null else jsonb_build_object('message_type', 'summary',
          'files_new', (files * 0.0004 * size_luck)::bigint, 'files_changed', (files * 0.002 * luck)::bigint, 'files_unmodified', files,
          'data_added', (size * 0.004 * size_luck)::bigint, 'total_files_processed', files, 'total_bytes_processed', size,
          'total_duration', extract(epoch from took)::float8) end,
        case when status = 'incomplete' and not runs then (select jsonb_agg(jsonb_build_object('code', 'unreadable', 'path', path || '/private/' || number, 'message', 'permission denied'))
          from generate_series(1, 1 + (size_luck * 12)::integer) number) else '[]'::jsonb end,
        case when ran and not runs then -1 end
      from (select final.*, case status
          when 'failed' then case when kind = 'backup' then reason when luck < 0.5 then 'locked' else 'unreachable' end
          when 'missed' then case when luck < 0.5 then 'not_reported' else 'host_was_off' end
          when 'skipped' then 'overlap' when 'expired' then 'not_claimed' when 'cancelled' then 'cancelled_by_operator' when 'lost' then 'host_silent'
          when 'incomplete' then 'sources_unread' end as reason_given from final) told`
}

/** Where the jobs that run stand. */
const insertProgress = (now: Date) => sql`
  insert into job_progress (job_id, host_id, progress, updated_at)
  select jobs.id, host_id, jsonb_build_object('phase', 'running', 'percentDone', done, 'filesDone', (files * done)::bigint, 'totalFiles', files,
    'bytesDone', (size * done)::bigint, 'totalBytes', size, 'etaSeconds', (3600 * (1 - done))::bigint, 'throughputBps', 66000000,
    'currentFiles', jsonb_build_array(path || '/current')), ${now.toISOString()}::timestamptz
  from jobs join seed_hosts on seed_hosts.id = host_id,
    lateral (select 0.05 + 0.9 * ('x' || substr(md5(jobs.id::text), 1, 7))::bit(28)::integer / 268435456.0 as done) as part
  where jobs.status = 'running'`

/** What the jobs left behind: a snapshot of each backup of the last days that keeps it, the counts, and each host's last good backup. */
export async function putSnapshots(tx: Db, { now, days }: { now: Date; days: number }): Promise<void> {
  const since = new Date(now.getTime() - Math.min(14, days) * DAY_MS).toISOString()
  await tx.execute(sql`
    insert into snapshots (repository_id, id, short_id, taken_at, hostname, paths, tags, size_bytes, file_count, host_id, job_id)
    select repository_id, mark, substr(mark, 1, 8), jobs.finished_at, hosts.name, array[hosts.path],
      array['rm-host=' || host_id, 'rm-schedule=' || schedule_id, 'rm-job=' || jobs.id], hosts.size, hosts.files, host_id, jobs.id
    from jobs join seed_hosts hosts on hosts.id = jobs.host_id, lateral (select md5(jobs.id::text) || md5('b' || jobs.id) as mark) as made
    where jobs.kind = 'backup' and jobs.status in ('succeeded', 'incomplete') and jobs.created_at > ${since}::timestamptz`)
  await tx.execute(sql`
    insert into snapshot_counts (repository_id, host_id, count)
    select repository_id, host_id, count(*) from snapshots where host_id in (select id from seed_hosts) group by 1, 2`)
  await tx.execute(sql`
    update hosts set last_good_backup_at = good.at from (
      select host_id, max(finished_at) as at from jobs
      where kind = 'backup' and status in ('succeeded', 'incomplete') and host_id in (select id from seed_hosts) group by 1) good
    where good.host_id = hosts.id`)
}
