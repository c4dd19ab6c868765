// Schedules as operators see them: what they are, how far they have reached their host, when they run next, how they fare.
import { and, arrayContains, asc, eq, inArray, isNull, type SQL, sql } from 'drizzle-orm'
import type { z } from 'zod'
import { nextSlots, type Timetable } from '@restic-manager/contract/cron'
import type { ScheduleListRequest } from '@restic-manager/contract/requests'
import { jitterMs } from '@restic-manager/contract/slots'
import type { Timing } from '@restic-manager/contract/timing'
import type { JobBrief, ScheduleView } from '@restic-manager/contract/views'
import type { Db } from '../db/open.ts'
import { hosts, repositories, schedules } from '../db/schema.ts'
import { briefsOf } from './job-views.ts'
import { isPausedNow } from './pauses.ts'
import { countable, draftOf, timetableOf } from './schedule-rows.ts'
import { scheduleNotFound } from './schedules.ts'
import { ofHostsIn, type Scope } from './scope.ts'

/** A list is for one host or one repository; without either it is cut here. */
const MOST_LISTED = 1_000

type Periods = Pick<Timing, 'late' | 'missedGrace'>

/** The schedules of a host or on a repository, by name. */
export async function listSchedules(
  db: Db,
  scope: Scope,
  { hostId, repositoryId, kind }: z.infer<typeof ScheduleListRequest>,
  periods: Periods,
): Promise<ScheduleView[]> {
  return selectSchedules(
    db,
    and(
      ofHostsIn(scope, schedules.hostId),
      hostId === undefined ? undefined : eq(schedules.hostId, hostId),
      repositoryId === undefined ? undefined : arrayContains(schedules.repositoryIds, [repositoryId]),
      kind === undefined ? undefined : eq(schedules.kind, kind),
    ),
    periods,
  )
}

/** One schedule. Throws `schedule_not_found`. */
export async function viewSchedule(db: Db, scheduleId: string, periods: Periods): Promise<ScheduleView> {
  const [view] = await selectSchedules(db, eq(schedules.id, scheduleId), periods)
  if (view === undefined) throw scheduleNotFound()
  return view
}

/**
 * Each inner query is one look into an index for each schedule and repository, and names its columns in full. The last job is the
 * one of each repository's newest that an operator has to see: a success must not hide a failure beside it. A success counts once every
 * repository has one: `succeeded_at` is the oldest of their newest.
 */
const columns = {
  row: schedules,
  hostName: hosts.name,
  hostVersion: hosts.scheduleVersion,
  appliedVersion: hosts.appliedScheduleVersion,
  appliedAt: hosts.scheduleAppliedAt,
  isPaused: sql<boolean>`${isPausedNow}`,
  pausedUntil: hosts.pausedUntil,
  lastJobId: sql<string | null>`(select newest.id
    from unnest(schedules.repository_ids) as wanted(id) cross join lateral (
      select jobs.id, jobs.status, jobs.created_at from jobs
      where jobs.schedule_id = schedules.id and jobs.repository_id = wanted.id
      order by jobs.created_at desc, jobs.id desc limit 1) newest
    order by array_position(array['running', 'accepted', 'queued', 'failed', 'lost', 'missed', 'expired', 'incomplete',
      'cancelled', 'skipped', 'succeeded'], newest.status), newest.created_at desc limit 1)`,
  succeededAt:
    sql<Date | null>`(select case when count(good.finished_at) = count(*) then min(good.finished_at) end
    from unnest(schedules.repository_ids) as wanted(id) left join lateral (
      select jobs.finished_at from jobs
      where jobs.schedule_id = schedules.id and jobs.repository_id = wanted.id
        and jobs.status in ('succeeded', 'incomplete')
      order by jobs.created_at desc, jobs.id desc limit 1) good on true)`.mapWith(schedules.createdAt),
}

async function selectSchedules(db: Db, which: SQL | undefined, periods: Periods): Promise<ScheduleView[]> {
  const found = await db
    .select(columns)
    .from(schedules)
    .innerJoin(hosts, and(eq(hosts.id, schedules.hostId), isNull(hosts.removedAt)))
    .where(and(isNull(schedules.deletedAt), which))
    .orderBy(asc(schedules.name), asc(schedules.id))
    .limit(MOST_LISTED)
  const [briefs, names] = await Promise.all([
    briefsOf(
      db,
      found.flatMap(({ lastJobId }) => lastJobId ?? []),
    ),
    namesOf(
      db,
      found.flatMap(({ row }) => row.repositoryIds),
    ),
  ])
  const now = new Date()
  return found.map(each => viewOf(each, { briefs, names, periods, now }))
}

async function namesOf(db: Db, repositoryIds: string[]): Promise<Map<string, string>> {
  const ids = [...new Set(repositoryIds)]
  if (ids.length === 0) return new Map()
  const rows = await db
    .select({ id: repositories.id, name: repositories.name })
    .from(repositories)
    .where(inArray(repositories.id, ids))
  return new Map(rows.map(({ id, name }) => [id, name]))
}

type Found = {
  row: typeof schedules.$inferSelect
  hostName: string
  hostVersion: number
  appliedVersion: number
  appliedAt: Date | null
  isPaused: boolean
  pausedUntil: Date | null
  lastJobId: string | null
  succeededAt: Date | null
}
type Beside = { briefs: Map<string, JobBrief>; names: Map<string, string>; periods: Periods; now: Date }

function viewOf(found: Found, { briefs, names, periods, now }: Beside): ScheduleView {
  const { row, lastJobId } = found
  const { rejectedCode: code, rejectedReason: reason } = row
  const isWaiting = !hasReachedHost(found)
  return {
    id: row.id,
    hostId: row.hostId,
    hostName: found.hostName,
    version: row.version,
    schedule: draftOf(row),
    repositories: row.repositoryIds.map(id => ({ id, name: names.get(id) ?? null })),
    sync: isWaiting ? 'waiting' : code === null ? 'in sync' : 'rejected',
    waitingSince: isWaiting ? row.updatedAt : null,
    rejected: code === null || isWaiting ? null : { code, reason: reason ?? '' },
    nextRunAt: nextRunOf(found, now),
    lastJob: (lastJobId !== null && briefs.get(lastJobId)) || null,
    lastSucceededAt: found.succeededAt,
    overdueSince: found.isPaused ? null : overdueSinceOf(found, periods, now),
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  }
}

/** A schedule that was not touched since the last ack is the one the host has, whatever else was edited meanwhile. */
const hasReachedHost = ({ row, hostVersion, appliedVersion, appliedAt }: Found) =>
  hostVersion === appliedVersion || (appliedAt !== null && row.updatedAt <= appliedAt)

/** The next slot whose time, with the host's spread, is still to come; while the host is paused, the first after that. */
function nextRunOf({ row, isPaused, pausedUntil }: Found, now: Date): Date | null {
  const timetable = countable(timetableOf(row))
  if (timetable === undefined || (isPaused && pausedUntil === null)) return null
  const spread = jitterMs(row.hostId, row.id, row.definition.jitterSeconds)
  const from = Math.max(now.getTime() - spread, isPaused ? (pausedUntil?.getTime() ?? 0) - 1 : 0)
  const [slot] = nextSlots(timetable, new Date(from), 1)
  return slot === undefined ? null : new Date(slot.getTime() + spread)
}

/** The first slot that should have brought a success, once a second one has passed without it and its grace is over. */
export function overdueSinceOf(
  { row, succeededAt }: Pick<Found, 'row' | 'succeededAt'>,
  { late, missedGrace }: Periods,
  now: Date,
): Date | null {
  const timetable = countable(timetableOf(row))
  if (timetable === undefined) return null
  const from = Math.max((succeededAt ?? row.createdAt).getTime(), row.countedFrom?.getTime() ?? 0)
  const through = now.getTime() - late - missedGrace - row.definition.jitterSeconds * 1_000
  const [first, second] = nextTwo(timetable, from)
  return first === undefined || second === undefined || second.getTime() > through ? null : first
}

/** The two slots after an instant, which never change: whoever is late is looked at again and again. */
const pairs = new Map<string, Date[]>()
const MOST_PAIRS = 20_000

function nextTwo(timetable: Timetable, after: number): Date[] {
  const key = `${after} ${timetable.timeZone} ${timetable.cron}`
  const known = pairs.get(key)
  if (known !== undefined) return known
  const slots = nextSlots(timetable, new Date(after), 2)
  if (pairs.size >= MOST_PAIRS) pairs.clear()
  pairs.set(key, slots)
  return slots
}
