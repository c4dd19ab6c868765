// What is wrong just now and ends by itself once it is put right: read from how everything stands, never remembered.
import { type SQL, sql } from 'drizzle-orm'
import type { AlertKind } from '@restic-manager/contract/attention'
import { timing } from '@restic-manager/contract/timing'
import { isPausedNow } from './pauses.ts'
import { isLate } from './standing-views.ts'

/** The kinds that are read here. All others are raised where they happen. */
export const readKinds = [
  'backup_failed',
  'backup_lost',
  'backup_incomplete',
  'retention_failed',
  'retention_overdue',
  'prune_failed',
  'check_failed',
  'check_overdue',
  'repository_locked',
  'host_late',
  'host_silent',
  'slots_missed',
  'schedule_rejected',
  'schedule_drift',
] as const satisfies readonly AlertKind[]

/** One trouble. `subject`: under which id it is one and the same. `facts`: what its sentence needs. */
export type Trouble = {
  kind: (typeof readKinds)[number]
  subject: string
  host_id: string | null
  repository_id: string | null
  schedule_id: string | null
  job_id: string | null
  reason: string | null
  since: string
  last_good_at: string | null
  count: number
  facts: {
    files?: number
    name?: string
    pid?: number
    missed?: number
    has?: number
    wanted?: number
    text?: string
  }
}

/** An offline host is silent for somebody to look at once it misses something, or has been away for a day. A laptop sleeps at night. */
const silentMinutes = 15
/** How long a host that is linked may take over a new plan. */
const driftMinutes = 5

const isAtWork = sql`hosts.removed_at is null and hosts.quarantined_at is null and hosts.awaits_approval_since is null and not ${isPausedNow}`
const planned = sql`schedules.deleted_at is null and schedules.enabled`
const missedOf = sql`(select coalesce(sum(standings.missed), 0)::integer from standings where standings.host_id = hosts.id and standings.kind = 'backup' and standings.missed > 0)`
const failsItself = sql`exists (select 1 from standings join schedules on schedules.id = standings.schedule_id and ${planned}
  where standings.host_id = hosts.id and standings.kind = 'backup' and standings.status in ('failed', 'lost'))`
/** The backup schedule of a host that comes most often. */
const tightest = sql`(select schedules.id from schedules where schedules.host_id = hosts.id and ${planned} and schedules.kind = 'backup'
  and schedules.period_seconds is not null order by schedules.period_seconds, schedules.id limit 1)`
const target = sql`md5(standings.schedule_id::text || standings.repository_id)::uuid`

/** Runs that went wrong, and those that left files out. */
const ofRuns = sql`
  select case
      when standings.kind = 'backup' then 'backup_' || standings.status
      when standings.kind = 'forget' then 'retention_failed' else standings.kind || '_failed' end as kind,
    ${target} as subject, standings.host_id, standings.repository_id, standings.schedule_id, standings.job_id, standings.reason,
    standings.since, standings.last_good_at, standings.count,
    case when standings.status = 'incomplete' then (select jsonb_build_object('files', jsonb_array_length(jobs.warnings), 'text', jobs.warnings -> 0 ->> 'path')
      from jobs where jobs.id = standings.job_id) else '{}'::jsonb end as facts
  from standings join schedules on schedules.id = standings.schedule_id and ${planned} and standings.repository_id = any(schedules.repository_ids)
  join hosts on hosts.id = standings.host_id and hosts.removed_at is null
  where standings.status in ('failed', 'lost') or (standings.status = 'incomplete' and standings.kind = 'backup')`

/** Retention and checks that have not succeeded for two of their periods, where none failed outright. */
const ofUpkeep = sql`
  select case schedules.kind when 'forget' then 'retention_overdue' else 'check_overdue' end,
    md5(schedules.id::text || repository)::uuid, schedules.host_id, repository, schedules.id, standings.job_id, null::text,
    coalesce(standings.last_good_at, schedules.created_at) + schedules.period_seconds * interval '1 second', standings.last_good_at, 1, '{}'::jsonb
  from schedules cross join unnest(schedules.repository_ids) as repository
  join hosts on hosts.id = schedules.host_id and ${isAtWork}
  left join standings on standings.schedule_id = schedules.id and standings.repository_id = repository
  where ${planned} and schedules.kind in ('forget', 'check') and schedules.period_seconds is not null
    and coalesce(standings.status, '') not in ('failed', 'lost')
    and greatest(standings.last_good_at, schedules.created_at) + 2 * schedules.period_seconds * interval '1 second'
      < now() - ${timing.late + timing.missedGrace} * interval '1 millisecond'`

/** Locks that restic would call left over, on repositories where nothing runs that is known here. */
const ofLocks = sql`
  select 'repository_locked', repositories.id, coalesce(repositories.maintenance_host_id,
      (select host_repositories.host_id from host_repositories where host_repositories.repository_id = repositories.id order by 1 limit 1)),
    repositories.id, null::uuid, null::uuid, null::text, oldest.at, null::timestamptz, 1,
    jsonb_build_object('pid', (oldest.lock ->> 'pid')::bigint)
  from repositories cross join lateral (
    select lock, (lock ->> 'createdAt')::timestamptz as at from jsonb_array_elements(repositories.locks) as lock order by 2 limit 1) oldest
  where repositories.lock_state = 'locked' and oldest.at < now() - ${timing.staleLock} * interval '1 millisecond'
    and not exists (select 1 from jobs where jobs.repository_id = repositories.id and jobs.status in ('accepted', 'running'))`

/** Hosts of which nothing is heard; else those whose last good backup is too old; else those that let slots pass. */
const ofHosts = sql`
  select case when not hosts.online then 'host_silent' when is_late then 'host_late' else 'slots_missed' end,
    hosts.id, hosts.id, null::uuid, ${tightest}, null::uuid, null::text,
    case when not hosts.online then hosts.last_seen_at
      when is_late then greatest(hosts.last_good_backup_at, hosts.objective_since) + hosts.objective_seconds * interval '1 second'
      else coalesce((select min(standings.missed_since) from standings where standings.host_id = hosts.id and standings.missed > 0), now()) end,
    hosts.last_good_backup_at, greatest(missed, 1), jsonb_build_object('missed', missed)
  from hosts cross join lateral (select ${isLate} as is_late, ${missedOf} as missed offset 0) as how
  where ${isAtWork} and case
    when not hosts.online then hosts.last_seen_at < now() - ${silentMinutes} * interval '1 minute'
      and (is_late or missed > 0 or hosts.last_seen_at < now() - interval '1 day')
    else (is_late or missed > 0) and not ${failsItself} end`

/** Plans that a host turned down, or that one which is there does not take over. */
const ofPlans = sql`
  select 'schedule_rejected', schedules.id, schedules.host_id, null::uuid, schedules.id, null::uuid, schedules.rejected_code,
    schedules.updated_at, null::timestamptz, 1, jsonb_build_object('name', schedules.name, 'text', schedules.rejected_reason)
  from schedules join hosts on hosts.id = schedules.host_id and hosts.removed_at is null
  where ${planned} and schedules.rejected_code is not null
  union all
  select 'schedule_drift', hosts.id, hosts.id, null, null, null, null, edited.at, null, 1,
    jsonb_build_object('has', hosts.applied_schedule_version, 'wanted', hosts.schedule_version)
  from hosts cross join lateral (
    select coalesce(max(schedules.updated_at), hosts.connected_at) as at from schedules where schedules.host_id = hosts.id) edited
  where ${isAtWork} and hosts.online and hosts.applied_schedule_version <> hosts.schedule_version
    and greatest(edited.at, hosts.connected_at) < now() - ${driftMinutes} * interval '1 minute'`

/** Every trouble there is: one look at what is kept of hosts, schedules and repositories, never at all jobs. */
export const troubles: SQL = sql`${ofRuns} union all ${ofUpkeep} union all ${ofLocks} union all ${ofHosts} union all ${ofPlans}`
