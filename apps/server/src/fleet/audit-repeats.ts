// What strangers and broken hosts try again and again: written down once, then counted, so that nobody can flood the audit log.
import { count, eq, sql } from 'drizzle-orm'
import type { Db } from '../db/open.ts'
import { auditRepeats as repeats } from '../db/schema-operators.ts'
import { type AuditEvent, writeAudit } from './audit.ts'
import { masked } from './audit-mask.ts'

/** So long what is like the first of it is only counted. */
const windowMinutes = 10
/** So many are told apart for each action; the others of that time are counted together. */
const mostApart = 100

/**
 * Adds a row for something that was refused, unless the same was tried from the same place or by the same host less than ten minutes
 * ago: then it is counted, and `tellRepeats` adds one row for all of them. Works in a transaction and outside of one; what is to
 * survive a refusal must be outside.
 */
export async function writeHostile(db: Db, event: AuditEvent): Promise<void> {
  await db.transaction(async tx => {
    const [{ apart = 0 } = {}] = await tx
      .select({ apart: count() })
      .from(repeats)
      .where(eq(repeats.action, event.action))
    const { actor, action, target } = event
    const own = [action, actor.id ?? placeOf(actor.address), target?.id ?? ''].join('\n')
    const told: AuditEvent =
      apart < mostApart ? event : { actor: { kind: 'nobody', name: 'many' }, action, hostIds: event.hostIds }
    const key = told === event ? own : `${action}\nmany`
    const [counted] = await tx
      .insert(repeats)
      .values({ key, action, event: masked({ ...told }) })
      .onConflictDoUpdate({ target: repeats.key, set: { count: sql`${repeats.count} + 1` } })
      .returning({ count: repeats.count })
    if (counted?.count === 1) await writeAudit(tx, told)
  })
}

/** Adds a row for everything whose ten minutes are over and that was tried again in them. Safe to run anywhere, several at once. */
export async function tellRepeats(db: Db): Promise<void> {
  await db.transaction(async tx => {
    const over = await tx
      .delete(repeats)
      .where(sql`${repeats.since} < now() - ${windowMinutes} * interval '1 minute'`)
      .returning()
    for (const { event, count: times, since } of over) {
      if (times === 1) continue
      const { after, ...first } = event as AuditEvent
      await writeAudit(tx, { ...first, after: { ...after, timesMore: times - 1, since } })
    }
  })
}

/** Whoever has one IPv6 address has all of its /64. */
const placeOf = (address = '') => (address.includes(':') ? address.split(':').slice(0, 4).join(':') : address)
