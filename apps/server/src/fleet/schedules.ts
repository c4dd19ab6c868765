// Schedules as operators edit them. Every edit goes through one door, so that a host's version can never stay behind.
import { and, eq, isNull, sql } from 'drizzle-orm'
import type { z } from 'zod'
import { newId } from '@restic-manager/contract/ids'
import { Refusal } from '@restic-manager/contract/refusal'
import type {
  ScheduleCreateRequest,
  ScheduleEnableRequest,
  ScheduleRemoveRequest,
  ScheduleUpdateRequest,
} from '@restic-manager/contract/requests'
import { notifyAll } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { hosts, schedules } from '../db/schema.ts'
import { checkSchedule } from './schedule-checks.ts'
import { columnsOf, type ScheduleRow } from './schedule-rows.ts'

/** What one `schedule.set` holds. */
const MOST_SCHEDULES = 1_000

/**
 * Every edit of a host's schedules goes through here: the version rises with it and its agent is told. The host's row is taken
 * first, in the order in which a fire takes it. Throws `host_not_found` for one that is gone, and whatever `edit` throws.
 */
export async function editSchedules<T>(db: Db, hostId: string, edit: (tx: Db) => Promise<T>): Promise<T> {
  return db.transaction(async tx => {
    const [raised] = await tx
      .update(hosts)
      .set({ scheduleVersion: sql`${hosts.scheduleVersion} + 1` })
      .where(and(eq(hosts.id, hostId), isNull(hosts.removedAt)))
      .returning({ id: hosts.id })
    if (raised === undefined) throw new Refusal('host_not_found', 'There is no such host.')
    const result = await edit(tx)
    await notifyAll(tx, { schedule: [hostId], host: [hostId] })
    return result
  })
}

/**
 * Plans something on a host, connected or not. A repeat with the same request id makes nothing new and answers the same schedule.
 * Throws `host_not_found`, `schedule_invalid`, `too_many` or `request_reused`.
 */
export async function createSchedule(
  db: Db,
  { requestId, hostId, schedule }: z.infer<typeof ScheduleCreateRequest>,
): Promise<{ scheduleId: string }> {
  const before = await scheduleOfRequest(db, { requestId, hostId, kind: schedule.kind })
  if (before !== undefined) return before
  return editSchedules(db, hostId, async tx => {
    await checkSchedule(tx, hostId, schedule)
    const [{ count = 0 } = {}] = await tx
      .select({ count: sql<number>`count(*)::integer` })
      .from(schedules)
      .where(and(eq(schedules.hostId, hostId), isNull(schedules.deletedAt)))
    if (count >= MOST_SCHEDULES)
      throw new Refusal('too_many', `This host has ${count} schedules. Delete some before you add another.`)
    const [made] = await tx
      .insert(schedules)
      .values({ id: newId(), requestId, hostId, ...columnsOf(schedule) })
      .onConflictDoNothing({ target: schedules.requestId })
      .returning({ scheduleId: schedules.id })
    const known = made ?? (await scheduleOfRequest(tx, { requestId, hostId, kind: schedule.kind }))
    if (known === undefined) throw new Error('a schedule that was in the way of another is not there')
    return known
  })
}

async function scheduleOfRequest(
  tx: Db,
  { requestId, hostId, kind }: { requestId: string; hostId: string; kind: string },
): Promise<{ scheduleId: string } | undefined> {
  const [found] = await tx
    .select({ scheduleId: schedules.id, hostId: schedules.hostId, kind: schedules.kind })
    .from(schedules)
    .where(eq(schedules.requestId, requestId))
  if (found === undefined) return undefined
  if (found.hostId !== hostId.toLowerCase() || found.kind !== kind)
    throw new Refusal('request_reused', 'This request id has made another schedule. Send a new one.')
  return { scheduleId: found.scheduleId }
}

/**
 * Changes a schedule that is still at the version the operator saw. Throws `schedule_not_found`, `schedule_invalid`, or
 * `version_stale` with a sentence that names both versions.
 */
export async function updateSchedule(
  db: Db,
  { scheduleId, version, schedule }: z.infer<typeof ScheduleUpdateRequest>,
): Promise<{ version: number }> {
  return editSchedule(db, { scheduleId, version }, async (tx, before) => {
    await checkSchedule(tx, before.hostId, schedule, before)
    return columnsOf(schedule)
  })
}

/** Pauses or resumes a schedule that is still at the version the operator saw. Throws as `updateSchedule` does. */
export async function setScheduleEnabled(
  db: Db,
  { scheduleId, version, enabled }: z.infer<typeof ScheduleEnableRequest>,
): Promise<{ version: number }> {
  return editSchedule(db, { scheduleId, version }, async () => ({ enabled }))
}

/**
 * Deletes a schedule. Its row stays as a tombstone: its host may fire it until it has heard. Safe to call twice. Throws
 * `schedule_not_found` or `version_stale`.
 */
export async function removeSchedule(
  db: Db,
  { scheduleId, version }: z.infer<typeof ScheduleRemoveRequest>,
): Promise<void> {
  const [gone] = await db
    .select({ deletedAt: schedules.deletedAt })
    .from(schedules)
    .where(eq(schedules.id, scheduleId))
  if (gone !== undefined && gone.deletedAt !== null) return
  await editSchedule(db, { scheduleId, version }, async () => ({ deletedAt: sql`now()` }))
}

type Change = Partial<Omit<typeof schedules.$inferInsert, 'deletedAt'>> & {
  deletedAt?: ReturnType<typeof sql>
}

async function editSchedule(
  db: Db,
  { scheduleId, version }: { scheduleId: string; version: number },
  change: (tx: Db, before: ScheduleRow) => Promise<Change>,
): Promise<{ version: number }> {
  return editSchedules(db, await hostOfSchedule(db, scheduleId), async tx => {
    const [before] = await tx
      .select()
      .from(schedules)
      .where(and(eq(schedules.id, scheduleId), isNull(schedules.deletedAt)))
      .for('no key update')
    if (before === undefined) throw scheduleNotFound()
    if (before.version !== version)
      throw new Refusal(
        'version_stale',
        `You edited version ${version} of this schedule; it is at version ${before.version} by now. Load it again.`,
      )
    const next = { version: version + 1, updatedAt: sql`now()`, rejectedCode: null, rejectedReason: null }
    await tx
      .update(schedules)
      .set({ ...(await change(tx, before)), ...next })
      .where(eq(schedules.id, scheduleId))
    return { version: next.version }
  })
}

async function hostOfSchedule(db: Db, scheduleId: string): Promise<string> {
  const [found] = await db
    .select({ hostId: schedules.hostId })
    .from(schedules)
    .where(and(eq(schedules.id, scheduleId), isNull(schedules.deletedAt)))
  if (found === undefined) throw scheduleNotFound()
  return found.hostId
}

export const scheduleNotFound = () => new Refusal('schedule_not_found', 'There is no such schedule.')
