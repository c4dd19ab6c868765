// Pauses: a host whose schedules rest, by whom and until when. Its link, and what is run by hand, go on.
import { and, eq, inArray, isNotNull, isNull, lte, type SQL, sql } from 'drizzle-orm'
import type { z } from 'zod'
import { Refusal } from '@restic-manager/contract/refusal'
import type { HostPauseRequest } from '@restic-manager/contract/requests'
import { toInstant } from '@restic-manager/contract/scalars'
import type { HostPause } from '@restic-manager/contract/schedule'
import { notifyAll } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { hosts, schedules } from '../db/schema.ts'
import { theServer, writeAudit } from './audit.ts'
import { expectSlots } from './expectations.ts'

/** Hosts that are paused at this moment. */
export const isPausedNow: SQL = sql`(${hosts.pausedAt} is not null and (${hosts.pausedUntil} is null or ${hosts.pausedUntil} > now()))`

/** A pause as a host is told of it. */
export const pauseOf = (row: { pausedAt: Date | null; pausedUntil: Date | null }): HostPause | undefined =>
  row.pausedAt === null
    ? undefined
    : {
        from: toInstant(row.pausedAt),
        ...(row.pausedUntil === null ? {} : { until: toInstant(row.pausedUntil) }),
      }

export type PauseWish = Pick<z.infer<typeof HostPauseRequest>, 'reason' | 'until'> & { by: string }

/**
 * Pauses these hosts, or changes the pause they are in: reason, end, and who. Answers those that changed; the others stand
 * so already, or are gone. Each one's version rises, so that its agent hears of it. Throws `bad_input` for an end that is over.
 */
export async function pauseHosts(tx: Db, hostIds: readonly string[], wish: PauseWish): Promise<string[]> {
  const { reason = null, until = null, by } = wish
  if (until !== null && until.getTime() <= Date.now())
    throw new Refusal('bad_input', 'until: has gone by already. Choose a later end, or none.')
  const changed = await tx
    .update(hosts)
    .set({
      pausedAt: sql`case when ${isPausedNow} then ${hosts.pausedAt} else now() end`,
      ...{ pausedUntil: until, pausedBy: by, pauseReason: reason },
      scheduleVersion: sql`${hosts.scheduleVersion} + 1`,
    })
    .where(
      and(
        inArray(hosts.id, [...hostIds]),
        isNull(hosts.removedAt),
        sql`(not ${isPausedNow} or (${hosts.pausedUntil}, ${hosts.pauseReason}) is distinct from
          (${until === null ? null : toInstant(until)}::timestamptz, ${reason}::text))`,
      ),
    )
    .returning({ id: hosts.id })
  return told(tx, changed)
}

/**
 * Lets the schedules of these hosts go on. Answers those that changed. What came by while they were paused and nobody has told of
 * counts as skipped from here on.
 */
export async function resumeHosts(tx: Db, hostIds: readonly string[]): Promise<string[]> {
  // The row is held first: a slot of the pause is expected while the pause still stands there.
  const paused = await tx
    .select({ id: hosts.id, until: hosts.pausedUntil })
    .from(hosts)
    .where(and(inArray(hosts.id, [...hostIds]), isNull(hosts.removedAt), isNotNull(hosts.pausedAt)))
    .orderBy(hosts.id)
    .for('no key update')
  if (paused.length === 0) return []
  const ids = paused.map(({ id }) => id)
  const now = new Date()
  const due = await tx
    .select({ id: schedules.id, hostId: schedules.hostId })
    .from(schedules)
    .where(
      and(
        inArray(schedules.hostId, ids),
        isNotNull(schedules.countedCron),
        lte(schedules.expectedThrough, now),
      ),
    )
    .orderBy(schedules.id)
  for (const { id, hostId } of due) {
    const until = paused.find(host => host.id === hostId)?.until ?? now
    const through = until < now ? until : now
    for (let isDone = false; !isDone;) isDone = await expectSlots(tx, id, through)
  }
  const changed = await tx
    .update(hosts)
    .set({
      ...{ pausedAt: null, pausedUntil: null, pausedBy: null, pauseReason: null },
      scheduleVersion: sql`${hosts.scheduleVersion} + 1`,
    })
    .where(inArray(hosts.id, ids))
    .returning({ id: hosts.id })
  return told(tx, changed)
}

async function told(tx: Db, changed: { id: string }[]): Promise<string[]> {
  const ids = changed.map(({ id }) => id)
  await notifyAll(tx, { schedule: ids, host: ids })
  return ids
}

/** Pauses one host. Safe to call twice. Throws `host_not_found`, or as `pauseHosts` does. */
export async function pauseHost(
  db: Db,
  { hostId, reason, until }: z.infer<typeof HostPauseRequest>,
  by: string,
): Promise<void> {
  await db.transaction(async tx => {
    const changed = await pauseHosts(tx, [hostId], { reason, until, by })
    if (changed.length === 0) await checkIsThere(tx, hostId)
  })
}

/** Resumes one host. Safe to call twice. Throws `host_not_found`. */
export async function resumeHost(db: Db, hostId: string): Promise<void> {
  await db.transaction(async tx => {
    const changed = await resumeHosts(tx, [hostId])
    if (changed.length === 0) await checkIsThere(tx, hostId)
  })
}

async function checkIsThere(tx: Db, hostId: string) {
  const [host] = await tx
    .select({ id: hosts.id })
    .from(hosts)
    .where(and(eq(hosts.id, hostId), isNull(hosts.removedAt)))
  if (host === undefined) throw new Refusal('host_not_found', 'There is no such host.')
}

/** Hosts that are resumed in one transaction. */
const BATCH = 100

/** Resumes hosts whose pause has come to its end, and answers how many. Their agents know the end themselves. Safe to run anywhere, several at once. */
export async function endPauses(db: Db): Promise<number> {
  let ended = 0
  for (;;) {
    const resumed = await db.transaction(async tx => {
      const over = await tx
        .select({ id: hosts.id, name: hosts.name, until: hosts.pausedUntil })
        .from(hosts)
        .where(and(lte(hosts.pausedUntil, sql`now()`), isNull(hosts.removedAt)))
        .limit(BATCH)
        .for('no key update', { skipLocked: true })
      const names = new Map(over.map(({ id, name }) => [id, name]))
      const changed = await resumeHosts(tx, [...names.keys()])
      for (const id of changed)
        await writeAudit(tx, {
          ...{ actor: theServer, action: 'pause ended' },
          ...{ target: { kind: 'host', id, name: names.get(id) }, hostIds: [id] },
        })
      return over.length
    })
    ended += resumed
    if (resumed < BATCH) return ended
  }
}
