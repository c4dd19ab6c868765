// What is planned for the next hours: the slots of every schedule, each timetable walked once a day and not for every page.
import { and, isNull, sql } from 'drizzle-orm'
import { slotsBetween, type Timetable } from '@restic-manager/contract/cron'
import type { LoadHour, Overview } from '@restic-manager/contract/overview'
import type { Db } from '../db/open.ts'
import { hosts, schedules } from '../db/schema.ts'
import { isPausedNow } from './pauses.ts'
import { countable } from './schedule-rows.ts'
import { hostsIn, type Scope } from './scope.ts'

const HOUR_MS = 3_600_000
const HOURS = 24
/** Walked ahead by this much more than is asked for, so that it lasts. */
const AHEAD_MS = 2 * HOURS * HOUR_MS
const MOST_TIMETABLES = 20_000

/** `hours`: how many slots there are in each hour that has any, as pairs of the number of that hour since 1970 and how many. */
type Walk = { from: number; through: number; hours: readonly (readonly [hour: number, slots: number])[] }
const walks = new Map<string, Walk>()

function walkOf(timetable: Timetable, from: number): Walk {
  const key = `${timetable.timeZone} ${timetable.cron}`
  const known = walks.get(key)
  if (known !== undefined && known.from <= from && known.through >= from + HOURS * HOUR_MS) return known
  const through = from + AHEAD_MS
  const hours = new Map<number, number>()
  const slots =
    countable(timetable) === undefined
      ? []
      : slotsBetween(timetable, new Date(from - 1), new Date(through - 1))
  for (const slot of slots) {
    const hour = Math.floor(slot.getTime() / HOUR_MS)
    hours.set(hour, (hours.get(hour) ?? 0) + 1)
  }
  const walk = { from, through, hours: [...hours] }
  if (walks.size >= MOST_TIMETABLES) walks.clear()
  walks.set(key, walk)
  return walk
}

type Group = [cron: string, timeZone: string, isBackup: boolean, runs: number]

/** The next 24 hours from the full hour that has begun. Paused hosts have none. */
export async function plannedLoad(db: Db, scope: Scope, now: Date): Promise<Overview['load']> {
  const each = db
    .select({
      cron: schedules.cron,
      timeZone: schedules.timeZone,
      isBackup: sql<boolean>`${schedules.kind} = 'backup'`.as('is_backup'),
      runs: sql<number>`sum(cardinality(${schedules.repositoryIds}))`.as('runs'),
    })
    .from(schedules)
    .innerJoin(hosts, sql`${hosts.id} = ${schedules.hostId}`)
    .where(
      and(
        isNull(hosts.removedAt),
        sql`not ${isPausedNow}`,
        sql`${schedules.enabled} and not ${schedules.manual} and ${schedules.deletedAt} is null and ${schedules.cron} is not null`,
        hostsIn(scope),
      ),
    )
    .groupBy(sql`1`, sql`2`, sql`3`)
  // One text instead of thousands of rows, each of which would be unpacked by itself.
  const [found] = await db.execute<{ groups: Group[] | null }>(
    sql`select json_agg(json_build_array(cron, time_zone, is_backup, runs)) as groups from (${each}) each`,
  )
  const groups = found?.groups ?? []
  const from = Math.floor(now.getTime() / HOUR_MS) * HOUR_MS
  const first = from / HOUR_MS
  const hours: LoadHour[] = Array.from({ length: HOURS }, (_, hour) => ({
    ...{ from: new Date(from + hour * HOUR_MS), backups: 0, maintenance: 0 },
  }))
  for (const [cron, timeZone, isBackup, runs] of groups)
    for (const [hour, slots] of walkOf({ cron, timeZone }, from).hours) {
      const load = hours[hour - first]
      if (load !== undefined) load[isBackup ? 'backups' : 'maintenance'] += slots * runs
    }
  return { hours, total: hours.reduce((sum, { backups, maintenance }) => sum + backups + maintenance, 0) }
}
