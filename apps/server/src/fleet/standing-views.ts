// How the fleet stands: each host is protected, or not for one cause.
import { and, isNull, type SQL, sql } from 'drizzle-orm'
import { type FleetStanding, Protection, unprotectedBy } from '@restic-manager/contract/overview'
import type { Db } from '../db/open.ts'
import { hosts } from '../db/schema.ts'
import { isPausedNow } from './pauses.ts'
import { hostsIn, type Scope } from './scope.ts'

/** When the last good backup of a host is too old, or its first one is overdue. Null: none is planned. */
export const lateAt: SQL<Date | null> = sql`(greatest(${hosts.lastGoodBackupAt}, ${hosts.objectiveSince})
  + ${hosts.objectiveSeconds} * interval '1 second')`
/** Late by its objective, whatever the reason. */
export const isLate: SQL = sql`(coalesce(${lateAt} < now(), false) and not ${isPausedNow})`

/** Hosts of which the newest run of some backup schedule went like this: an inner query for `in`. */
const hostsWhere = (status: SQL) => sql`(select standings.host_id from standings
  join schedules on schedules.id = standings.schedule_id and schedules.deleted_at is null and schedules.enabled
  where standings.kind = 'backup' and ${status})`
const fails = sql`${hosts.id} in ${hostsWhere(sql`standings.status in ('failed', 'lost')`)}`
const isPartial = sql`${hosts.id} in ${hostsWhere(sql`standings.status = 'incomplete'`)}`

/** What the backups of a host come to. The order is that of what is asked first. */
export const protection: SQL<Protection> = sql`case
  when ${hosts.quarantinedAt} is not null then 'quarantined'
  when ${hosts.awaitsApprovalSince} is not null then 'waiting'
  when ${isPausedNow} then 'paused'
  when ${hosts.objectiveSeconds} is null then 'unplanned'
  when not ${isLate} then case when ${isPartial} then 'incomplete' else 'protected' end
  when not ${hosts.online} then 'silent'
  when ${fails} then 'failing'
  when ${hosts.lastGoodBackupAt} is null then 'never'
  else 'missed' end`

/** Since when a host is not protected, as far as its cause can say. */
const troubledSince = sql<string | null>`case standing
  when 'quarantined' then quarantined_at when 'silent' then last_seen_at else late_at end`

type Row = {
  standing: Protection
  count: number
  since: string | null
  id: string
  name: string
  within: number
  planned: number
}

/** The fleet in numbers: one look at each host. */
export async function standingOf(db: Db, scope: Scope): Promise<Omit<FleetStanding, 'retentionTroubled'>> {
  const each = db
    .select({
      standing: sql`${protection}`.as('standing'),
      lateAt: sql`${lateAt}`.as('late_at'),
      id: hosts.id,
      name: hosts.name,
      quarantinedAt: hosts.quarantinedAt,
      lastSeenAt: hosts.lastSeenAt,
      isPlanned: sql`${hosts.objectiveSeconds} is not null`.as('is_planned'),
      isWithin: sql`coalesce(${lateAt} >= now(), false)`.as('is_within'),
    })
    .from(hosts)
    .where(and(isNull(hosts.removedAt), hostsIn(scope)))
  // `offset 0`: else the cause of each host is found out once for every column that names it.
  const rows = await db.execute<Row>(sql`
    select standing, count(*)::integer as count, min(${troubledSince}) as since, min(id::text collate "C") as id, min(name collate "C") as name,
      count(*) filter (where is_within)::integer as within, count(*) filter (where is_planned)::integer as planned
    from (${each} offset 0) each group by standing`)
  const found = new Map(rows.map(row => [row.standing, row]))
  const counts = Object.fromEntries(
    Protection.options.map(standing => [standing, found.get(standing)?.count ?? 0]),
  ) as FleetStanding['counts']
  const sum = (read: (row: Row) => number) => rows.reduce((total, row) => total + read(row), 0)
  return {
    total: sum(row => row.count),
    counts,
    causes: unprotectedBy.flatMap(cause => {
      const row = found.get(cause)
      if (row === undefined) return []
      const only = row.count === 1 ? { id: row.id, name: row.name } : null
      return [{ cause, count: row.count, since: row.since === null ? null : new Date(row.since), only }]
    }),
    planned: sum(row => row.planned),
    withinObjective: sum(row => row.within),
  }
}
