// The work of an act on many hosts: slice by slice, each in a transaction of its own, never twice for a host.
import { and, asc, eq, inArray, isNull, lt, sql } from 'drizzle-orm'
import type { BulkKind } from '@restic-manager/contract/bulk'
import { Refusal } from '@restic-manager/contract/refusal'
import { slotJobId, toSlot } from '@restic-manager/contract/slots'
import type { Timing } from '@restic-manager/contract/timing'
import { notifyAll } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { hosts, schedules } from '../db/schema.ts'
import { bulkActs } from '../db/schema-server.ts'
import { writeAudit } from './audit.ts'
import { stillAllowed } from './bulk-rights.ts'
import { pauseHosts, resumeHosts } from './pauses.ts'
import { runScheduleNow } from './schedule-runs.ts'

/** Hosts in one transaction: whoever else writes the record of what was done waits for no more than these. */
const SLICE = 50
/** Hosts that are told of by name when they refused. */
const MOST_TOLD = 10
/** What is said of a host that whoever began the act sees or changes no longer. */
const notAllowed = 'Whoever began this may not do it to this host any more.'
/** What a host may have. */
const MOST_TAGS = 50

type Act = typeof bulkActs.$inferSelect
type Told = { hostId: string; hostName: string; sentence: string }
/** `partly`: hosts that refused a part of it after another part was done. */
type Done = { changed: string[]; refused: Map<string, string>; partly?: string[] }
type Work = (tx: Db, act: Act, hostIds: string[], timing: Timing) => Promise<Done>

const none = new Map<string, string>()

const works: Record<BulkKind, Work> = {
  async pause(tx, { detail, actor }, hostIds) {
    const until = detail.until === undefined ? undefined : new Date(detail.until)
    // Its time may have come before its turn has.
    if (until !== undefined && until.getTime() <= Date.now()) return { changed: [], refused: none }
    const wish = { reason: detail.reason, until, by: actor.name }
    return { changed: await pauseHosts(tx, hostIds, wish), refused: none }
  },
  resume: async (tx, _, hostIds) => ({ changed: await resumeHosts(tx, hostIds), refused: none }),
  async run(tx, act, hostIds, timing) {
    const planned = await tx
      .select({ id: schedules.id, hostId: schedules.hostId })
      .from(schedules)
      .where(
        and(
          inArray(schedules.hostId, hostIds),
          eq(schedules.kind, 'backup'),
          eq(schedules.enabled, true),
          isNull(schedules.deletedAt),
        ),
      )
      .orderBy(asc(schedules.name), asc(schedules.id))
    const changed = new Set<string>()
    const refused = new Map<string, string>()
    for (const { id: scheduleId, hostId } of planned) {
      const requestId = slotJobId(act.id, toSlot(0), scheduleId)
      try {
        await tx.transaction(inner =>
          runScheduleNow(inner, { requestId, scheduleId }, { requestedBy: act.actor.name, timing }),
        )
        changed.add(hostId)
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        refused.set(hostId, error.message)
      }
    }
    const [whole = [], partly = []] = [false, true].map(isRefused =>
      [...changed].filter(id => refused.has(id) === isRefused),
    )
    return { changed: whole, refused, partly }
  },
  async addTag(tx, { detail: { tag = '' } }, hostIds) {
    const full = await tx
      .select({ id: hosts.id })
      .from(hosts)
      .where(
        and(
          inArray(hosts.id, hostIds),
          sql`cardinality(${hosts.tags}) >= ${MOST_TAGS} and not ${tag} = any(${hosts.tags})`,
        ),
      )
    const changed = await tx
      .update(hosts)
      .set({ tags: sql`array_append(${hosts.tags}, ${tag})` })
      .where(
        and(
          inArray(hosts.id, hostIds),
          isNull(hosts.removedAt),
          sql`cardinality(${hosts.tags}) < ${MOST_TAGS} and not ${tag} = any(${hosts.tags})`,
        ),
      )
      .returning({ id: hosts.id })
    const why = `This host has ${MOST_TAGS} tags already.`
    return { changed: changed.map(({ id }) => id), refused: new Map(full.map(({ id }) => [id, why])) }
  },
  async removeTag(tx, { detail: { tag = '' } }, hostIds) {
    const changed = await tx
      .update(hosts)
      .set({ tags: sql`array_remove(${hosts.tags}, ${tag})` })
      .where(and(inArray(hosts.id, hostIds), isNull(hosts.removedAt), sql`${tag} = any(${hosts.tags})`))
      .returning({ id: hosts.id })
    return { changed: changed.map(({ id }) => id), refused: none }
  },
}

/** What the record calls it for each host: as if it had been done to that one alone. */
const actions: Record<BulkKind, string> = {
  pause: 'hosts.pause',
  resume: 'hosts.resume',
  run: 'schedules.runNow',
  addTag: 'hosts.update',
  removeTag: 'hosts.update',
}

/** Does the next slice of an act. Answers what is still to do; undefined when another server is at it, or it is done. */
async function doSlice(db: Db, actId: string, timing: Timing): Promise<number | undefined> {
  return db.transaction(async tx => {
    const [act] = await tx
      .select()
      .from(bulkActs)
      .where(and(eq(bulkActs.id, actId), isNull(bulkActs.finishedAt)))
      .for('no key update', { skipLocked: true })
    if (act === undefined) return undefined
    const slice = act.hostIds.slice(act.done, act.done + SLICE)
    const named = await tx
      .select({ id: hosts.id, name: hosts.name })
      .from(hosts)
      .where(and(inArray(hosts.id, slice), isNull(hosts.removedAt)))
    const allowed = await stillAllowed(tx, act, slice)
    const mine = slice.filter(id => allowed.has(id))
    const { changed, refused: unable, partly = [] } = await works[act.kind](tx, act, mine, timing)
    const refused = new Map([
      ...unable,
      ...slice.filter(id => !allowed.has(id)).map(id => [id, notAllowed] as const),
    ])
    const names = new Map(named.map(({ id, name }) => [id, name]))
    const told: Told[] = [...refused].map(([hostId, sentence]) => ({
      hostId,
      hostName: names.get(hostId) ?? '',
      sentence,
    }))
    const done = act.done + slice.length
    const left = act.hostIds.length - done
    await tx
      .update(bulkActs)
      .set({
        done,
        changed: act.changed + changed.length,
        refused: act.refused + refused.size,
        already: act.already + slice.length - changed.length - refused.size,
        why: [...act.why, ...told].slice(0, MOST_TOLD),
        ...(left === 0 ? { finishedAt: sql`now()` } : {}),
      })
      .where(eq(bulkActs.id, actId))
    const touched = [...changed, ...partly]
    await notifyAll(tx, { host: touched })
    const { filter: _, ...forOne } = act.detail
    for (const id of touched)
      await writeAudit(tx, {
        actor: act.actor,
        action: actions[act.kind],
        target: { kind: 'host', id, name: names.get(id) },
        hostIds: [id],
        after: { act: act.kind, ...forOne, requestId: act.id },
      })
    return left
  })
}

/** Goes on with an act until it is done, another server is at it, or so much time has gone by. Safe to call at any time, several at once. */
export async function workOnBulk(
  db: Db,
  actId: string,
  { timing, forMs }: { timing: Timing; forMs: number },
): Promise<void> {
  const until = performance.now() + forMs
  for (;;) {
    const left = await doSlice(db, actId, timing)
    if (left === undefined || left === 0 || performance.now() >= until) return
  }
}

/** Goes on with every act that is not done, and answers how many there were. Safe to run anywhere, several at once. */
export async function workOnBulks(db: Db, periods: { timing: Timing; forMs: number }): Promise<number> {
  const open = await db
    .select({ id: bulkActs.id })
    .from(bulkActs)
    .where(isNull(bulkActs.finishedAt))
    .orderBy(asc(bulkActs.createdAt))
  for (const { id } of open) await workOnBulk(db, id, periods)
  return open.length
}

/** Forgets acts that were done a day ago: who began them has seen what came of them. */
export async function forgetBulks(db: Db): Promise<void> {
  await db.delete(bulkActs).where(lt(bulkActs.finishedAt, sql`now() - interval '1 day'`))
}
