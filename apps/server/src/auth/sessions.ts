// Signed-in browsers: begun, listed, and ended one by one or all at once. Their sockets close with them.
import { randomBytes } from 'node:crypto'
import { and, desc, eq, gt, ne, sql } from 'drizzle-orm'
import type { SessionView } from '@restic-manager/contract/operators'
import { newId } from '@restic-manager/contract/ids'
import { Refusal } from '@restic-manager/contract/refusal'
import { notify } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { operators, operatorSessions as sessions } from '../db/schema-operators.ts'
import { type Actor, actorOf, writeAudit } from '../fleet/audit.ts'
import type { Principal } from '../context.ts'
import { hashOfSession } from './session-tokens.ts'

type Beginning = {
  provedAt?: Date | undefined
  operatorId: string
  by: string
  address: string
  browser: string | null
  idleSeconds: number
}

/** Begins a session of somebody who has shown everything; `by`: what was shown, in words. Its token is in the answer alone. Throws `operator_not_found`. */
export async function beginSession(db: Db, beginning: Beginning) {
  const { operatorId, by, address, browser, idleSeconds, provedAt } = beginning
  return db.transaction(async tx => {
    const [user] = await tx.select().from(operators).where(eq(operators.id, operatorId)).for('key share')
    if (user === undefined) throw new Refusal('operator_not_found', 'This account is gone.')
    const expiresAt = new Date(Date.now() + idleSeconds * 1_000)
    const token = randomBytes(32).toString('base64url')
    const [session] = await tx
      .insert(sessions)
      .values({
        ...{ id: newId(), userId: operatorId, token: hashOfSession(token), expiresAt },
        ...{ ipAddress: address, userAgent: browser },
        ...(provedAt && { provedAt }),
      })
      .returning()
    if (session === undefined) throw new Error('a session that was just made is not there')
    const actor: Actor = { kind: 'operator', id: operatorId, name: user.email, address }
    await writeAudit(tx, { actor, action: 'signed in', target: themselves(actor), after: { by, browser } })
    return { user, session: { ...session, token } }
  })
}

/** Ends the session of somebody who signs out. Safe to call twice. */
export async function endSession(db: Db, principal: Principal, address: string): Promise<void> {
  const { by, operatorId } = principal
  if (by.kind !== 'session') return
  await db.transaction(async tx => {
    const ended = await tx
      .delete(sessions)
      .where(eq(sessions.id, by.sessionId))
      .returning({ id: sessions.id })
    if (ended.length === 0) return
    await notify(tx, 'operator', operatorId)
    const actor = actorOf(principal, address)
    await writeAudit(tx, { actor, action: 'signed out', target: themselves(actor) })
  })
}

const themselves = ({ id, name }: Actor) => ({ kind: 'operator', id, name })

/** An operator's sessions, the one used last on top. `sessionId`: the one that asks. */
export async function listSessions(
  db: Db,
  { operatorId, sessionId }: { operatorId: string; sessionId: string | undefined },
): Promise<SessionView[]> {
  return await db
    .select({
      id: sessions.id,
      browser: sessions.userAgent,
      address: sessions.ipAddress,
      createdAt: sessions.createdAt,
      lastSeenAt: sessions.updatedAt,
      isThis: sql<boolean>`${sessions.id} is not distinct from ${sessionId ?? null}::uuid`,
    })
    .from(sessions)
    .where(and(eq(sessions.userId, operatorId), gt(sessions.expiresAt, sql`now()`)))
    .orderBy(desc(sessions.updatedAt), desc(sessions.id))
    .limit(200)
}

/** Ends one session of an operator. Safe to call twice. */
export async function revokeSession(db: Db, wish: { operatorId: string; sessionId: string }): Promise<void> {
  const { operatorId, sessionId } = wish
  await db.transaction(async tx => {
    await tx.delete(sessions).where(and(eq(sessions.id, sessionId), eq(sessions.userId, operatorId)))
    await notify(tx, 'operator', operatorId)
  })
}

/** Ends all sessions of an operator, but for `except`. Safe to call twice. */
export async function revokeSessions(
  db: Db,
  { operatorId, except }: { operatorId: string; except?: string | undefined },
): Promise<void> {
  await db.transaction(async tx => {
    const others = except === undefined ? undefined : ne(sessions.id, except)
    await tx.delete(sessions).where(and(eq(sessions.userId, operatorId), others))
    await notify(tx, 'operator', operatorId)
  })
}

/** Removes sessions that are over. */
export async function forgetSessions(db: Db): Promise<void> {
  await db.delete(sessions).where(sql`${sessions.expiresAt} < now()`)
}
