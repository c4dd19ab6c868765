// Passwords: whether one is right, in the same time for accounts that are not there, and how it is changed.
import { hashPassword, verifyPassword } from 'better-auth/crypto'
import { and, eq, ne } from 'drizzle-orm'
import { Refusal } from '@restic-manager/contract/refusal'
import { notify } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { operatorAccounts, operators, operatorSessions } from '../db/schema-operators.ts'

let decoy: Promise<string> | undefined

/** The operator with this e-mail, if the password is theirs. */
export async function findByPassword(
  db: Db,
  { email, password }: { email: string; password: string },
): Promise<string | undefined> {
  const [found] = await db
    .select({ id: operators.id, hash: operatorAccounts.password })
    .from(operators)
    .innerJoin(
      operatorAccounts,
      and(eq(operatorAccounts.userId, operators.id), eq(operatorAccounts.providerId, 'credential')),
    )
    .where(eq(operators.email, email.trim().toLowerCase()))
  // Nobody learns from the clock whether an account exists.
  const hash = found?.hash ?? (await (decoy ??= hashPassword('nobody has this password')))
  const isRight = await verifyPassword({ hash, password })
  return isRight && found?.hash ? found.id : undefined
}

/** Whether `password` is this operator's. */
export async function isPasswordOf(db: Db, operatorId: string, password: string): Promise<boolean> {
  const [found] = await db
    .select({ hash: operatorAccounts.password })
    .from(operatorAccounts)
    .where(and(eq(operatorAccounts.userId, operatorId), eq(operatorAccounts.providerId, 'credential')))
  return found?.hash != null && verifyPassword({ hash: found.hash, password })
}

/** Changes a password that somebody has, and ends all their sessions but the one it was done in. */
export async function changePassword(
  db: Db,
  change: { operatorId: string; sessionId: string; passwordHash: string },
): Promise<void> {
  const { operatorId, sessionId, passwordHash } = change
  await db.transaction(async tx => {
    const changed = await tx
      .update(operatorAccounts)
      .set({ password: passwordHash, updatedAt: new Date() })
      .where(and(eq(operatorAccounts.userId, operatorId), eq(operatorAccounts.providerId, 'credential')))
      .returning({ id: operatorAccounts.id })
    if (changed.length === 0)
      throw new Refusal(
        'not_allowed',
        'This account has no password: it signs in through the identity provider.',
      )
    await tx
      .delete(operatorSessions)
      .where(and(eq(operatorSessions.userId, operatorId), ne(operatorSessions.id, sessionId)))
    await notify(tx, 'operator', operatorId)
  })
}
