// The set of schedules a host works by: what it is sent, what it says of it, and from when its slots count.
import { and, asc, eq, isNotNull, isNull, or, sql } from 'drizzle-orm'
import type { ScheduleAck, ScheduleSet } from '@restic-manager/contract/schedule'
import type { HostSession } from '../context.ts'
import { telling, tellingAll } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { hosts, schedules } from '../db/schema.ts'
import { arriving, together } from '../db/together.ts'
import { askedSessions, isAskedSession } from './asked-sessions.ts'
import { expectSlots } from './expectations.ts'
import { fenced, isNewestSession } from './facts.ts'
import { pauseOf } from './pauses.ts'
import { countedTimetableOf, scheduleOf, type ScheduleRow, timetableOf } from './schedule-rows.ts'

/** Everything a host is to do by itself. Throws `session_fenced`. */
export async function scheduleSetFor(db: Db, host: HostSession): Promise<ScheduleSet> {
  const set = await setOf(db, host)
  if (set === undefined) throw fenced()
  return set
}

/** One statement, so that version and content belong together. */
const setOf = together<HostSession, ScheduleSet>(async (db, sessions) => {
  const rows = await db
    .select({
      ...{ at: sql<number>`asked.at`, schedule: schedules },
      ...{ version: hosts.scheduleVersion, configVersion: hosts.configVersion },
      ...{ pausedAt: hosts.pausedAt, pausedUntil: hosts.pausedUntil },
    })
    .from(hosts)
    .innerJoin(askedSessions(sessions), isAskedSession)
    .leftJoin(schedules, and(eq(schedules.hostId, hosts.id), isNull(schedules.deletedAt)))
    .orderBy(asc(schedules.createdAt), asc(schedules.id))
  const answers: ScheduleSet[] = []
  for (const { at, schedule, ...host } of rows) {
    const pause = pauseOf(host)
    const { version, configVersion } = host
    answers[at] ??= { ...(pause === undefined ? {} : { pause }), version, configVersion, schedules: [] }
    if (schedule !== null) answers[at].schedules.push(scheduleOf(schedule))
  }
  return answers
}, arriving)

/** A clock that runs ahead is believed this far: counting that began later would never find a slot missed. */
const MOST_AHEAD_MS = 24 * 3_600_000

/**
 * The host works by this version now. Slots of a timetable that changed are expected by the old one up to then, and counted by
 * the new one from then on. Safe to deliver twice, and after a later one of the same session, which stands. Throws
 * `session_fenced`.
 */
export async function ackSchedules(db: Db, host: HostSession, ack: ScheduleAck): Promise<void> {
  const { id, session, timeline } = host
  const rejects = (ack.rejected ?? []).length > 0
  if (!rejects && (await keepAgain(db, { id, session, timeline, version: ack.version }))) return
  await db.transaction(async tx => {
    const [acked] = await tx
      .update(hosts)
      .set({
        appliedScheduleVersion: sql`greatest(${hosts.appliedScheduleVersion}, ${ack.version}::integer)`,
        // By our own clock, which the times of edits are by as well.
        scheduleAppliedAt: sql`case when ${hosts.scheduleVersion} = ${ack.version} then now() else ${hosts.scheduleAppliedAt} end`,
      })
      .where(isNewestSession(host))
      .returning({
        version: hosts.scheduleVersion,
        applied: hosts.appliedScheduleVersion,
        hasRejections: sql<boolean>`exists (select 1 from schedules kept where kept.host_id = ${host.id}
          and kept.deleted_at is null and kept.rejected_code is not null)`,
        told: telling('host', hosts.id),
      })
    if (acked === undefined) throw fenced()
    if (acked.applied > ack.version) return
    const isCurrent = acked.version === ack.version
    const rejected = ack.rejected ?? []
    if (isCurrent && (acked.hasRejections || rejected.length > 0)) await keepRejections(tx, host.id, rejected)
    const rows = await tx
      .select()
      .from(schedules)
      .where(
        and(eq(schedules.hostId, host.id), or(isNull(schedules.deletedAt), isNotNull(schedules.countedCron))),
      )
      .orderBy(asc(schedules.id))
      .for('no key update')
    for (const row of rows) await recount(tx, row, { appliedAt: new Date(ack.appliedAt), isCurrent })
  })
}

/**
 * The ack of a host that comes back and works by what it worked by before: nothing is rejected, was, or is counted in another way.
 * What is known already is only looked at. Undefined: there is more to it, and nothing was done.
 */
const keepAgain = together<HostSession & { version: number }, true>(async (db, acks) => {
  const answers: true[] = []
  const rows = await db.execute<{ at: number }>(sql`
    with asked as materialized (
      select asked.*, hosts.applied_schedule_version = asked.version and hosts.schedule_applied_at is not null as "isKnown"
      from hosts join ${askedSessions(acks, sql`, version integer`)} on ${isAskedSession}
      where hosts.schedule_version = asked.version and hosts.applied_schedule_version <= asked.version
        and not exists (select 1 from schedules plan where plan.host_id = hosts.id and (
          case when plan.enabled and not plan.manual and plan.deleted_at is null and plan.rejected_code is null
            then plan.cron || ' ' || plan.time_zone end
            is distinct from plan.counted_cron || ' ' || plan.counted_time_zone
          or (plan.rejected_code is not null and plan.deleted_at is null)))
    ), held as (
      select asked.* from hosts join asked on ${isAskedSession} and hosts.schedule_version = asked.version and not asked."isKnown"
      order by hosts.id for no key update of hosts skip locked
    ), kept as (
      update hosts set applied_schedule_version = hosts.schedule_version, schedule_applied_at = now()
      from held where hosts.id = held.id
      returning held.at, hosts.id
    ), told as (select ${tellingAll('host', sql`select id from kept`)} as told)
    select at, null as told from asked where "isKnown" union all select at, told from kept, told`)
  for (const { at } of rows) answers[at] = true
  return answers
}, arriving)

async function keepRejections(tx: Db, hostId: string, rejected: NonNullable<ScheduleAck['rejected']>) {
  await tx.execute(sql`
    update schedules set rejected_code = said.code, rejected_reason = said.reason
    from schedules kept left join jsonb_to_recordset(${JSON.stringify(rejected)}::jsonb)
      as said("scheduleId" uuid, code text, reason text) on said."scheduleId" = kept.id
    where schedules.id = kept.id and kept.host_id = ${hostId} and kept.deleted_at is null
      and (kept.rejected_code, kept.rejected_reason) is distinct from (said.code, said.reason)`)
}

/**
 * Counting restarts only where the timetable changed. An ack of a version that was edited since says only that the old timetable
 * is over: by what the host counts until the next ack is not known here, so nothing is expected.
 */
async function recount(
  tx: Db,
  row: ScheduleRow,
  { appliedAt, isCurrent }: { appliedAt: Date; isCurrent: boolean },
) {
  const counted = countedTimetableOf(row)
  const next = timetableOf(row)
  if (counted?.cron === next?.cron && counted?.timeZone === next?.timeZone) return
  const from = new Date(
    Math.min(Math.max(appliedAt.getTime(), row.updatedAt.getTime()), Date.now() + MOST_AHEAD_MS),
  )
  if (counted !== undefined) {
    const through = new Date(Math.min(from.getTime(), Date.now()))
    for (let isDone = false; !isDone;) isDone = await expectSlots(tx, row.id, through)
    await takeBack(tx, row.id, from)
  }
  await tx
    .update(schedules)
    .set(
      isCurrent && next !== undefined
        ? { countedCron: next.cron, countedTimeZone: next.timeZone, countedFrom: from, expectedThrough: from }
        : { countedCron: null, countedTimeZone: null },
    )
    .where(eq(schedules.id, row.id))
}

/** What was expected by the old timetable after the host had stopped counting by it never was a slot. */
async function takeBack(tx: Db, scheduleId: string, from: Date) {
  await tx.execute(sql`delete from jobs where schedule_id = ${scheduleId} and status = 'missed'
    and not reported and scheduled_for > ${from.toISOString()}::timestamptz`)
}
