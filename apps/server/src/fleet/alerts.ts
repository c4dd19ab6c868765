// Alerts: what needs a person, raised where it happens, counted while it goes on, and cleared by what ends it.
import { and, eq, inArray, isNull, sql } from 'drizzle-orm'
import { alertKinds } from '@restic-manager/contract/alert-kinds'
import type { AlertKind } from '@restic-manager/contract/attention'
import { newId } from '@restic-manager/contract/ids'
import { Refusal } from '@restic-manager/contract/refusal'
import { notify, notifyAll } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { alerts } from '../db/schema-alerts.ts'

/** What an alert is about. `subject` is the id under which it is counted. */
export type NewAlert = {
  kind: AlertKind
  subject: string
  sentence: string
  hostId?: string
  enrolmentId?: string
  repositoryId?: string
}

/** Opens an alert, or counts one more in the one that is open. */
export async function raiseAlert(tx: Db, { sentence, kind, subject, ...about }: NewAlert): Promise<void> {
  const [raised] = await tx
    .insert(alerts)
    .values({ id: newId(), kind, subject, sentence, ...about })
    .onConflictDoUpdate({
      target: [alerts.kind, alerts.subject],
      targetWhere: sql`cleared_at is null`,
      set: { sentence, lastSeenAt: sql`now()`, count: sql`least(${alerts.count}, 2000000000) + 1` },
    })
    .returning({ id: alerts.id, count: alerts.count })
  // The first is news. A flood of the same must not wake every page each time.
  if (raised?.count === 1) await notify(tx, 'alert', raised.id)
}

/** Ends the open alerts of these kinds about a subject: what they were about is over. Safe to call twice. */
export async function clearAlerts(tx: Db, subject: string, kinds: readonly AlertKind[]): Promise<void> {
  const cleared = await tx
    .update(alerts)
    .set({ clearedAt: sql`now()` })
    .where(and(eq(alerts.subject, subject), inArray(alerts.kind, [...kinds]), isNull(alerts.clearedAt)))
    .returning({ id: alerts.id })
  await notifyAll(tx, { alert: cleared.map(({ id }) => id) })
}

/** Every kind there is, for a subject that is gone. */
export const everyAlert = Object.keys(alertKinds) as AlertKind[]
const events = everyAlert.filter(kind => alertKinds[kind].ends === 'event')

/** Somebody has seen it. An event is over with that; a state stays until it ends. Safe to call twice: the first name stays. */
export async function acknowledgeAlert(db: Db, alertId: string, by: string): Promise<void> {
  await db.transaction(async tx => {
    const [seen] = await tx
      .update(alerts)
      .set({
        acknowledgedBy: sql`coalesce(${alerts.acknowledgedBy}, ${by})`,
        acknowledgedAt: sql`coalesce(${alerts.acknowledgedAt}, now())`,
        clearedAt: sql`case when ${inArray(alerts.kind, events)} then coalesce(${alerts.clearedAt}, now()) else ${alerts.clearedAt} end`,
      })
      .where(eq(alerts.id, alertId))
      .returning({ id: alerts.id })
    if (seen === undefined) throw new Refusal('alert_not_found', 'There is no such alert.')
    await notify(tx, 'alert', alertId)
  })
}
