// The record of what was done: the one door by which a row comes in, and the chain that shows when one is changed or missing.
import { createHash } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { PgTransaction } from 'drizzle-orm/pg-core'
import type { Principal } from '../context.ts'
import { notify } from '../db/bus.ts'
import { listedIds } from '../db/listed.ts'
import type { Db } from '../db/open.ts'
import { auditEventHosts, auditEvents } from '../db/schema-operators.ts'
import { type AuditState, masked } from './audit-mask.ts'

/** Who did it. `name` is for people and stays as it was then; `address` is where it came from, where that is known. */
export type Actor = {
  kind: (typeof auditEvents.$inferSelect)['actorKind']
  id?: string | undefined
  name: string
  address?: string | undefined
}

/** Whoever has the rights of the server's own user. */
export const adminCommand: Actor = { kind: 'admin command', name: 'admin command' }
/** The server itself, by the clock. */
export const theServer: Actor = { kind: 'server', name: 'server' }
/** A stranger: nobody who was let in. */
export const nobodyAt = (address: string): Actor => ({ kind: 'nobody', name: 'nobody', address })
/** An agent. */
export const hostActor = (host: { id: string; name: string }, address?: string): Actor => ({
  kind: 'host',
  ...host,
  address,
})

/** A person, or the key that speaks for one. */
export function actorOf({ operatorId, email, by }: Principal, address?: string): Actor {
  return by.kind === 'key'
    ? { kind: 'api key', id: by.keyId, name: `${email}, key ${by.name}`, address }
    : { kind: 'operator', id: operatorId, name: email, address }
}

/**
 * What was done. `action`: the path of a procedure such as `hosts.remove`, or an event such as `enrolment refused`. `hostIds`: the
 * hosts it is about, for who sees only some; left out or null: the installation as a whole. What `before` and `after` hold under a
 * secret's name is masked here.
 */
export type AuditEvent = {
  actor: Actor
  action: string
  target?: { kind: string; id?: string | undefined; name?: string | null | undefined } | undefined
  hostIds?: readonly string[] | null | undefined
  before?: AuditState | null | undefined
  after?: AuditState | null | undefined
}

/** A row as it is hashed: everything but the hash. */
export type AuditRow = Omit<typeof auditEvents.$inferSelect, 'hash'>

/** Any fixed number: whoever adds a row waits for who adds one at this moment. */
const auditLock = 7_264_518_043

/** What the first row is hashed with. */
export const firstHash = Buffer.alloc(32)

/**
 * Adds a row, in the transaction `tx` that makes the change, so that there is neither without the other. Call it as the last thing
 * of the transaction: until that has ended everybody else who adds one waits. Throws when `tx` is no transaction.
 */
export async function writeAudit(tx: Db, event: AuditEvent): Promise<void> {
  requireTransaction(tx)
  await waitForAudit(tx)
  // A statement of its own: what was added while this one waited has to be seen.
  const [now] = await tx.execute<{ number: string | null; hash: string | null; at: string }>(sql`
    select last.number, encode(last.hash, 'hex') as hash, clock_timestamp()::timestamptz(3) as at
    from (values (1)) as one left join lateral (
      select number, hash from audit_events order by number desc limit 1) as last on true`)
  if (now === undefined) throw new Error('the database did not say how late it is')
  const { actor, target, hostIds = null } = event
  const row: AuditRow = {
    number: Number(now.number ?? 0) + 1,
    at: new Date(now.at),
    actorKind: actor.kind,
    actorId: actor.id ?? null,
    actorName: plain(actor.name),
    address: actor.address ?? null,
    action: event.action,
    targetKind: target?.kind ?? null,
    targetId: target?.id ?? null,
    targetName: target?.name == null ? null : plain(target.name),
    hostIds: hostIds && [...new Set(hostIds)].toSorted(),
    before: event.before == null ? null : masked(event.before),
    after: event.after == null ? null : masked(event.after),
  }
  const before = now.hash === null ? firstHash : Buffer.from(now.hash, 'hex')
  await tx.insert(auditEvents).values({ ...row, hash: auditHash(before, row) })
  const { at, number } = row
  if (row.hostIds !== null && row.hostIds.length > 0)
    await tx.execute(sql`insert into ${auditEventHosts} (host_id, at, number)
      select id, ${at.toISOString()}::timestamptz, ${number}::bigint from ${listedIds(row.hostIds)}`)
  await notify(tx, 'audit', '')
}

/** Until the transaction ends nobody else adds a row, or takes the first ones away. */
export async function waitForAudit(tx: Db): Promise<void> {
  await tx.execute(sql`select pg_advisory_xact_lock(${auditLock})`)
}

function requireTransaction(tx: Db): void {
  if (!(tx instanceof PgTransaction))
    throw new Error('an audit row is written in the transaction of its change')
}

/** The hash of a row: SHA-256 over the 32 bytes of the hash before it, then the row as JSON text, in UTF-8. */
export function auditHash(before: Buffer, row: AuditRow): Buffer {
  return createHash('sha256').update(before).update(canonical(row)).digest()
}

/** A list in the order of the columns; names within `before` and `after` are sorted, because jsonb keeps no order. */
function canonical(row: AuditRow): string {
  return JSON.stringify([
    row.number,
    row.at.toISOString(),
    ...[row.actorKind, row.actorId, row.actorName, row.address, row.action],
    ...[row.targetKind, row.targetId, row.targetName, row.hostIds],
    ...[inOrder(row.before), inOrder(row.after)],
  ])
}

function inOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOrder)
  if (typeof value !== 'object' || value === null) return value
  const names = Object.keys(value).toSorted((a, b) => (a < b ? -1 : 1))
  // A list of pairs: in an object, names that look like numbers would come first whatever the order.
  return names.map(name => [name, inOrder((value as Record<string, unknown>)[name])])
}

/** Names may come from a stranger: what PostgreSQL cannot store is left out, and what is endless is cut. */
const plain = (text: string) => text.slice(0, 500).replaceAll('\0', '').toWellFormed()
