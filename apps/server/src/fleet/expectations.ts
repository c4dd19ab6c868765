// The server expects every slot itself: one that nobody has told of counts as missed, until its host says otherwise.
import { and, asc, eq, gte, isNotNull, isNull, lt, lte, sql } from 'drizzle-orm'
import { nextSlots, slotsBetween } from '@restic-manager/contract/cron'
import { toInstant } from '@restic-manager/contract/scalars'
import { slotJobId } from '@restic-manager/contract/slots'
import type { Timing } from '@restic-manager/contract/timing'
import { notifyAll } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { hosts, jobs, schedules } from '../db/schema.ts'
import { countable, countedTimetableOf, type ScheduleRow } from './schedule-rows.ts'

/** Slots looked at in one step, schedules in one batch, batches in one pass: what is beyond waits for the next. */
const STEP_SLOTS = 500
const BATCH = 200
const MOST_BATCHES = 50

/**
 * Expects whatever has become due, and answers how many schedules had something due. A slot has its host's spread, the time after
 * which it is late, and a grace on top, before it counts as missed. Safe to run anywhere, at any time, several at once.
 */
export async function expectDueSlots(
  db: Db,
  { late, missedGrace }: Pick<Timing, 'late' | 'missedGrace'>,
  now = new Date(),
): Promise<number> {
  const latest = new Date(now.getTime() - late - missedGrace)
  const jitter = sql<number>`(${schedules.definition} ->> 'jitterSeconds')::integer`
  let seen = 0
  for (let batch = 0; batch < MOST_BATCHES; batch += 1) {
    const due = await db
      .select({ id: schedules.id, jitterSeconds: jitter })
      .from(schedules)
      .innerJoin(hosts, and(eq(hosts.id, schedules.hostId), isNull(hosts.removedAt)))
      .where(
        and(
          isNotNull(schedules.countedCron),
          lt(schedules.expectedThrough, latest), // what the index is read by; the next line only drops a few more
          sql`${schedules.expectedThrough} < ${toInstant(latest)}::timestamptz - ${jitter} * interval '1 second'`,
        ),
      )
      .orderBy(asc(schedules.expectedThrough))
      .limit(BATCH)
    for (const { id, jitterSeconds } of due)
      await db.transaction(tx => expectSlots(tx, id, new Date(latest.getTime() - jitterSeconds * 1_000)))
    seen += due.length
    if (due.length < BATCH) break
  }
  return seen
}

/**
 * Expects the next slots of a schedule up to `through`, at most a step, by the timetable its host counts by. Answers whether that
 * was all. Holds the schedule's row, so that a fire and this never look past each other.
 */
export async function expectSlots(tx: Db, scheduleId: string, through: Date): Promise<boolean> {
  const [row] = await tx.select().from(schedules).where(eq(schedules.id, scheduleId)).for('no key update')
  const counted = row && countedTimetableOf(row)
  if (row === undefined || counted === undefined) return true
  const from = row.expectedThrough ?? row.countedFrom ?? row.createdAt
  if (from >= through) return true
  const reach = (expectedThrough: Date) =>
    tx.update(schedules).set({ expectedThrough }).where(eq(schedules.id, scheduleId))
  const timetable = countable(counted)
  if (timetable === undefined) {
    await reach(through)
    return true
  }
  const slots = slotsBetween(timetable, from, through, STEP_SLOTS)
  if (slots.length > 0) await recordMissing(tx, row, slots)
  const isDone = slots.length < STEP_SLOTS
  const [next] = nextSlots(timetable, isDone ? through : (slots.at(-1) ?? through), 1)
  // Until just before the next slot there is nothing to expect: the row is not looked at again before.
  await reach(next === undefined ? NEVER : new Date(next.getTime() - 1))
  return isDone
}

const NEVER = new Date('9999-01-01T00:00:00Z')

/** Which of the slots from `first` to `last` somebody has spoken of. */
async function readSpokenOf(tx: Db, scheduleId: string, { first, last }: { first: Date; last: Date }) {
  const known = await tx
    .select({
      repositoryId: jobs.repositoryId,
      from: jobs.notRunFrom,
      slot: jobs.scheduledFor,
      isGuess: sql<boolean>`${jobs.status} = 'missed' and not ${jobs.reported}`,
    })
    .from(jobs)
    .where(
      and(
        eq(jobs.scheduleId, scheduleId),
        isNull(jobs.retryOf),
        gte(jobs.scheduledFor, first),
        lte(sql`coalesce(${jobs.notRunFrom}, ${jobs.scheduledFor})`, toInstant(last)),
      ),
    )
  const guessed = new Set(
    known
      .filter(({ isGuess }) => isGuess)
      .map(({ slot, repositoryId }) => `${slot?.getTime()} ${repositoryId}`),
  )
  const told = known.filter(({ isGuess }) => !isGuess)
  const single = new Set(told.map(({ slot }) => slot?.getTime()))
  const ranges = told.flatMap(({ from, slot }) =>
    from === null || slot === null ? [] : [{ from, to: slot }],
  )
  // Who told of a slot, or decided it, spoke of every repository that the schedule had then.
  return (slot: Date, repositoryId: string) =>
    single.has(slot.getTime()) ||
    guessed.has(`${slot.getTime()} ${repositoryId}`) ||
    ranges.some(range => range.from <= slot && slot <= range.to)
}

/** One provisional row for each slot and repository that no row and no range speaks of: missed, or skipped where its host was paused. */
async function recordMissing(tx: Db, row: ScheduleRow, slots: readonly Date[]) {
  const [first, last] = [slots[0], slots.at(-1)]
  if (first === undefined || last === undefined) return
  const isSpokenOf = await readSpokenOf(tx, row.id, { first, last })
  const missing = slots.flatMap(slot =>
    row.repositoryIds
      .filter(repositoryId => !isSpokenOf(slot, repositoryId))
      .map(repositoryId => ({
        id: slotJobId(row.id, toInstant(slot), repositoryId),
        repositoryId,
        slot: toInstant(slot),
      })),
  )
  if (missing.length === 0) return
  const [host] = await tx
    .select({ from: hosts.pausedAt, until: hosts.pausedUntil })
    .from(hosts)
    .where(eq(hosts.id, row.hostId))
  const isResting = sql`due.slot >= ${host?.from?.toISOString() ?? null}::timestamptz
    and due.slot < coalesce(${host?.until?.toISOString() ?? null}::timestamptz, 'infinity')`
  await tx.execute(sql`
    insert into jobs (id, host_id, repository_id, kind, status, spec, reason, schedule_id, scheduled_for, created_at)
    select due.id, ${row.hostId}, due."repositoryId", ${row.kind}, case when ${isResting} then 'skipped' else 'missed' end, '{}',
      case when ${isResting} then 'host_paused' else 'not_reported' end, ${row.id}, due.slot, due.slot
    from jsonb_to_recordset(${JSON.stringify(missing)}::jsonb) as due(id uuid, "repositoryId" uuid, slot timestamptz)
    on conflict do nothing`)
  await notifyAll(tx, { host: [row.hostId], job: [missing.at(-1)?.id ?? row.id] })
}
