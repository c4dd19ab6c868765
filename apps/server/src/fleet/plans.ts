// What a host's plan promises: how often its schedules come, and how old its last good backup may be before it is late.
import { and, eq, isNotNull, isNull, sql } from 'drizzle-orm'
import { nextSlots, type Timetable } from '@restic-manager/contract/cron'
import type { Db } from '../db/open.ts'
import { hosts, schedules } from '../db/schema.ts'
import { countable } from './schedule-rows.ts'

/** Hosts whose plans are read in one step. */
const BATCH = 500
/** From here on slots are looked at, so many of them. */
const MEASURED_FROM = new Date('2026-01-01T00:00:00Z')
const MEASURED_SLOTS = 100
const HOUR = 3_600
const DAY = 24 * HOUR

const periods = new Map<string, number | undefined>()
const MOST_PERIODS = 10_000

/** The longest time between two slots in seconds: a schedule of weekdays does not promise a backup on Sunday. Undefined: it has no second slot. */
export function periodOf(timetable: Timetable): number | undefined {
  const key = `${timetable.timeZone} ${timetable.cron}`
  if (periods.has(key)) return periods.get(key)
  const slots = countable(timetable) === undefined ? [] : nextSlots(timetable, MEASURED_FROM, MEASURED_SLOTS)
  const gaps = slots.slice(1).map((slot, index) => slot.getTime() - (slots[index] ?? slot).getTime())
  const period = gaps.length === 0 ? undefined : Math.max(...gaps) / 1_000
  if (periods.size >= MOST_PERIODS) periods.clear()
  periods.set(key, period)
  return period
}

/** How old a good backup may be that comes once in `period` seconds: a quarter more, at least an hour and at most a day more. */
export const objectiveOf = (period: number): number =>
  Math.round(period + Math.min(DAY, Math.max(HOUR, period / 4)))

/**
 * Reads the plans that were edited since they were read last, and answers how many. A host with several schedules of backups is
 * held to the one that comes most often. Its time begins with the edit: nothing is late the moment it is planned. Safe to run
 * anywhere and several at once.
 */
export async function readPlans(db: Db): Promise<number> {
  let read = 0
  for (;;) {
    const batch = await db
      .select({ hostId: hosts.id, version: hosts.scheduleVersion })
      .from(hosts)
      .where(sql`plan_read_version <> schedule_version`)
      .orderBy(hosts.id)
      .limit(BATCH)
    if (batch.length > 0) await db.transaction(tx => readBatch(tx, batch))
    read += batch.length
    if (batch.length < BATCH) return read
  }
}

async function readBatch(tx: Db, batch: readonly { hostId: string; version: number }[]) {
  const ids = sql`(select value::uuid from jsonb_array_elements_text(${JSON.stringify(batch.map(({ hostId }) => hostId))}::jsonb))`
  const planned = await tx
    .select({
      id: schedules.id,
      hostId: schedules.hostId,
      kind: schedules.kind,
      cron: schedules.cron,
      timeZone: schedules.timeZone,
      updatedAt: schedules.updatedAt,
    })
    .from(schedules)
    .where(
      and(
        sql`${schedules.hostId} in ${ids}`,
        isNull(schedules.deletedAt),
        eq(schedules.enabled, true),
        eq(schedules.manual, false),
        isNotNull(schedules.cron),
      ),
    )
  const timed = planned.flatMap(({ cron, timeZone, ...row }) => {
    const period = cron === null ? undefined : periodOf({ cron, timeZone })
    return period === undefined ? [] : [{ ...row, period: Math.round(period) }]
  })
  const backups = Map.groupBy(
    timed.filter(({ kind }) => kind === 'backup'),
    ({ hostId }) => hostId,
  )
  const plans = batch.map(({ hostId, version }) => {
    const [tightest] = (backups.get(hostId) ?? []).toSorted((one, other) => one.period - other.period)
    const objective = tightest === undefined ? null : objectiveOf(tightest.period)
    return { id: hostId, version, objective, since: tightest?.updatedAt.toISOString() ?? null }
  })
  await tx.execute(sql`
    update schedules set period_seconds = timed.period
    from schedules as now left join jsonb_to_recordset(${JSON.stringify(timed)}::jsonb) as timed(id uuid, period integer) on timed.id = now.id
    where now.host_id in ${ids} and schedules.id = now.id and schedules.period_seconds is distinct from timed.period`)
  // A plan that was edited again meanwhile stays unread.
  await tx.execute(sql`
    update hosts set plan_read_version = plan.version, objective_seconds = plan.objective,
      objective_since = case when plan.objective is null then null
        when hosts.objective_seconds = plan.objective then hosts.objective_since else plan.since end
    from jsonb_to_recordset(${JSON.stringify(plans)}::jsonb) as plan(id uuid, version integer, objective integer, since timestamptz)
    where hosts.id = plan.id and hosts.schedule_version = plan.version`)
}
