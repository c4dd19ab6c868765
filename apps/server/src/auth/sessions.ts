// Signed-in browsers: listed, and ended one by one or all at once. Their sockets close with them.
import { and, desc, eq, gt, ne, sql } from 'drizzle-orm'
import type { SessionView } from '@restic-manager/contract/operators'
import { notify } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { operatorSessions as sessions } from '../db/schema-operators.ts'

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
