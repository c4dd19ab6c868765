// What a list of hosts shows beside each: how its last days went, and when it runs next. One query each for all of them.
import { and, eq, isNotNull, isNull, sql } from 'drizzle-orm'
import { nextSlots, type Timetable } from '@restic-manager/contract/cron'
import { jitterMs } from '@restic-manager/contract/slots'
import type { BackupDay } from '@restic-manager/contract/days'
import type { Db } from '../db/open.ts'
import { hostDays } from '../db/schema-outcomes.ts'
import { schedules } from '../db/schema.ts'
import { isAmong } from './among.ts'
import { countable } from './schedule-rows.ts'

const DAYS = 14
const DAY_MS = 86_400_000
const none = { succeeded: 0, incomplete: 0, failed: 0, lost: 0, missed: 0, skipped: 0 }

/** The last 14 days of each of these hosts, today last. */
export async function daysOf(
  db: Db,
  hostIds: readonly string[],
  now = new Date(),
): Promise<Map<string, BackupDay[]>> {
  if (hostIds.length === 0) return new Map()
  const days = Array.from({ length: DAYS }, (_, at) =>
    new Date(now.getTime() - (DAYS - 1 - at) * DAY_MS).toISOString().slice(0, 10),
  )
  const rows = await db
    .select()
    .from(hostDays)
    .where(and(isAmong(hostDays.hostId, hostIds), sql`${hostDays.day} >= ${days[0]}::date`))
  const known = new Map(rows.map(({ hostId, ...row }) => [`${hostId} ${row.day}`, row]))
  return new Map(
    hostIds.map(id => [id, days.map(day => known.get(`${id} ${day}`) ?? Object.assign({ day }, none))]),
  )
}

/** Slots that were found are good until the first has passed: hosts of a list share few timetables. */
const comings = new Map<string, { after: number; slots: number[] }>()
const MOST_COMINGS = 20_000
const SLOTS_AHEAD = 3

function nextAfter(timetable: Timetable, after: number): number | undefined {
  const key = `${timetable.timeZone} ${timetable.cron}`
  const known = comings.get(key)
  const next =
    known !== undefined && known.after <= after ? known.slots.find(slot => slot > after) : undefined
  if (next !== undefined) return next
  const slots =
    countable(timetable) === undefined
      ? []
      : nextSlots(timetable, new Date(after), SLOTS_AHEAD).map(slot => slot.getTime())
  if (comings.size >= MOST_COMINGS) comings.clear()
  comings.set(key, { after, slots })
  return slots[0]
}

/** When each of these hosts runs something next; those that have nothing planned are left out. */
export async function nextRunsOf(
  db: Db,
  hostIds: readonly string[],
  now = Date.now(),
): Promise<Map<string, Date>> {
  if (hostIds.length === 0) return new Map()
  const planned = await db
    .select({
      id: schedules.id,
      hostId: schedules.hostId,
      cron: schedules.cron,
      timeZone: schedules.timeZone,
      jitterSeconds: sql<number>`(${schedules.definition} ->> 'jitterSeconds')::integer`,
    })
    .from(schedules)
    .where(
      and(
        isAmong(schedules.hostId, hostIds),
        eq(schedules.enabled, true),
        eq(schedules.manual, false),
        isNotNull(schedules.cron),
        isNull(schedules.deletedAt),
        isNull(schedules.rejectedCode),
      ),
    )
  const next = new Map<string, Date>()
  for (const { id, hostId, cron, timeZone, jitterSeconds } of planned) {
    const spread = jitterMs(hostId, id, jitterSeconds)
    const slot = cron === null ? undefined : nextAfter({ cron, timeZone }, now - spread)
    const known = next.get(hostId)
    if (slot !== undefined && (known === undefined || slot + spread < known.getTime()))
      next.set(hostId, new Date(slot + spread))
  }
  return next
}
