// How the backups of the last 30 days went, of the fleet or of a part of it.
import { arrayOverlaps, type SQL, sql } from 'drizzle-orm'
import type { BackupDay } from '@restic-manager/contract/days'
import type { Db } from '../db/open.ts'
import { fleetDays } from '../db/schema-outcomes.ts'
import { hosts } from '../db/schema.ts'
import type { Scope } from './scope.ts'

const DAYS = 30
const DAY_MS = 86_400_000
const none = { succeeded: 0, incomplete: 0, failed: 0, lost: 0, missed: 0, skipped: 0 }

const dayOf = (at: number) => new Date(at).toISOString().slice(0, 10)

/** The last 30 days, those on which nothing was planned too. */
export async function backupDays(db: Db, scope: Scope, now: Date): Promise<BackupDay[]> {
  const days = Array.from({ length: DAYS }, (_, back) => dayOf(now.getTime() - (DAYS - 1 - back) * DAY_MS))
  const since = sql`${days[0]}::date`
  const rows =
    scope === undefined
      ? await db
          .select()
          .from(fleetDays)
          .where(sql`${fleetDays.day} >= ${since}`)
      : await daysOfPart(db, scope, since)
  const known = new Map(rows.map(row => [row.day, row]))
  return days.map(day => known.get(day) ?? Object.assign({ day }, none))
}

const each = (write: (name: string) => string) => sql.raw(Object.keys(none).map(write).join(', '))

/**
 * A part that is most of the fleet is what the fleet has without the rest: no more than half of all hosts are ever added up. Hosts as
 * an array: then each is looked up in the index that holds the counts, however many they are.
 */
const daysOfPart = (db: Db, scope: readonly string[], since: SQL): Promise<BackupDay[]> =>
  db.execute<BackupDay>(sql`
    with each as materialized (select id, ${arrayOverlaps(hosts.tags, [...scope])} as is_seen from hosts),
    part as (select 2 * count(*) filter (where is_seen) > count(*) as is_most from each),
    counted as (
      select day, ${each(name => `sum(${name})::integer as ${name}`)} from host_days
      where host_id = any(array(select each.id from each, part where each.is_seen <> part.is_most)) and day >= ${since} group by day)
    select fleet_days.day::text, ${each(
      name =>
        `case when part.is_most then fleet_days.${name} - coalesce(counted.${name}, 0) else coalesce(counted.${name}, 0) end as ${name}`,
    )}
    from fleet_days cross join part left join counted on counted.day = fleet_days.day where fleet_days.day >= ${since}`)
