// Alerts: what needs a person, raised where it happens, counted while it goes on, and cleared by what ends it.
import { and, count, desc, eq, inArray, isNull, sql } from 'drizzle-orm'
import { z } from 'zod'
import {
  type AlertKind,
  alertKinds,
  type AlertListRequest,
  type AlertPage,
} from '@restic-manager/contract/alerts'
import { newId } from '@restic-manager/contract/ids'
import { Refusal } from '@restic-manager/contract/refusal'
import { notify } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { alerts, hosts } from '../db/schema.ts'
import { cursorAt, keysOf } from './cursor.ts'
import { alertsIn, type Scope } from './scope.ts'

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
  for (const { id } of cleared) await notify(tx, 'alert', id)
}

/** Every kind there is, for a subject that is gone. */
export const everyAlert = Object.keys(alertKinds) as AlertKind[]
const events = everyAlert.filter(kind => alertKinds[kind] === 'event')

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

const Keys = z.tuple([z.string(), z.uuid()])
/** To the microsecond nothing is stored, so a millisecond and an id name the place of a row. */
const sinceText = sql<string>`to_char(${alerts.since} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

/** A page of alerts, newest first. `openCount` counts what nobody has acknowledged. */
export async function alertPage(
  db: Db,
  scope: Scope,
  request: z.infer<typeof AlertListRequest>,
): Promise<AlertPage> {
  const keys = keysOf(Keys, request.cursor)
  const within = and(
    alertsIn(scope),
    request.hostId === undefined ? undefined : eq(alerts.hostId, request.hostId),
  )
  const rows = await db
    .select({
      id: alerts.id,
      kind: alerts.kind,
      hostId: alerts.hostId,
      hostName: hosts.name,
      enrolmentId: alerts.enrolmentId,
      repositoryId: alerts.repositoryId,
      sentence: alerts.sentence,
      since: alerts.since,
      lastSeenAt: alerts.lastSeenAt,
      count: alerts.count,
      acknowledgedBy: alerts.acknowledgedBy,
      acknowledgedAt: alerts.acknowledgedAt,
      clearedAt: alerts.clearedAt,
      sinceText,
    })
    .from(alerts)
    .leftJoin(hosts, eq(hosts.id, alerts.hostId))
    .where(
      and(
        within,
        request.which === 'open' ? isNull(alerts.clearedAt) : undefined,
        keys && sql`(${alerts.since}, ${alerts.id}) < (${keys[0]}::timestamptz, ${keys[1]}::uuid)`,
      ),
    )
    .orderBy(desc(alerts.since), desc(alerts.id))
    .limit(request.limit + 1)
  const [open] = await db
    .select({ count: count() })
    .from(alerts)
    .where(and(within, isNull(alerts.clearedAt), isNull(alerts.acknowledgedAt)))
  const page = rows.slice(0, request.limit)
  const last = page.at(-1)
  return {
    rows: page.map(({ hostId, hostName, sinceText: _, ...row }) => ({
      ...row,
      host: hostId === null ? null : { id: hostId, name: hostName ?? '' },
    })),
    nextCursor: rows.length > page.length && last !== undefined ? cursorAt([last.sinceText, last.id]) : null,
    openCount: open?.count ?? 0,
  }
}
