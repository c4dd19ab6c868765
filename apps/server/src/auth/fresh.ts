// Whether the person behind a session has shown just now that it is them.
import { and, eq, sql } from 'drizzle-orm'
import type { Db } from '../db/open.ts'
import { operatorSessions } from '../db/schema-operators.ts'
import { writeAudit } from '../fleet/audit.ts'

/** For so long after the strongest factor was shown, a session may do what needs it. */
export const freshForMs = 10 * 60_000

/** Reckoned by the database, which wrote the time down. A socket may have been opened before the factor was shown: its word is old. */
export async function isFresh(db: Db, { sessionId }: { sessionId: string }): Promise<boolean> {
  const [session] = await db
    .select({ id: operatorSessions.id })
    .from(operatorSessions)
    .where(
      and(
        eq(operatorSessions.id, sessionId),
        sql`${operatorSessions.provedAt} > now() - ${freshForMs} * interval '1 millisecond'`,
      ),
    )
  return session !== undefined
}

/** Writes down that the strongest factor of the account was shown in this session; `by`: which. False: it has ended. */
export async function markProved(
  db: Db,
  proof: { operatorId: string; sessionId: string; email: string; by: string; address: string },
): Promise<boolean> {
  const { operatorId, sessionId, email, by, address } = proof
  return db.transaction(async tx => {
    const marked = await tx
      .update(operatorSessions)
      .set({ provedAt: sql`now()` })
      .where(and(isLive(sessionId), eq(operatorSessions.userId, operatorId)))
      .returning({ id: operatorSessions.id })
    if (marked.length === 0) return false
    const who = { id: operatorId, name: email }
    await writeAudit(tx, {
      actor: { kind: 'operator', ...who, address },
      ...{ action: 'proved', target: { kind: 'operator', ...who }, after: { by } },
    })
    return true
  })
}

/** Whether a session of this operator goes on. */
export async function isSignedIn(
  db: Db,
  { operatorId, sessionId }: { operatorId: string; sessionId: string },
): Promise<boolean> {
  const [found] = await db
    .select({ id: operatorSessions.id })
    .from(operatorSessions)
    .where(and(isLive(sessionId), eq(operatorSessions.userId, operatorId)))
  return found !== undefined
}

const isLive = (sessionId: string) =>
  and(eq(operatorSessions.id, sessionId), sql`${operatorSessions.expiresAt} > now()`)
