// One-time values between two requests of one browser: a challenge, a sign-in that still lacks its second factor.
import { createHash, randomBytes } from 'node:crypto'
import { and, eq, gt, lt, sql } from 'drizzle-orm'
import { newId } from '@restic-manager/contract/ids'
import type { Db } from '../db/open.ts'
import { operatorVerifications } from '../db/schema-operators.ts'

const lifeMs = 5 * 60_000

const identifierOf = (kind: string, token: string) =>
  `${kind}:${createHash('sha256').update(token).digest('base64url')}`

/** Keeps a value for five minutes. The answer is the only way to it; the database holds its hash. */
export async function openTicket(db: Db, kind: string, value: object): Promise<string> {
  const token = randomBytes(32).toString('base64url')
  const row = { id: newId(), identifier: identifierOf(kind, token), value: JSON.stringify(value) }
  await db
    .insert(operatorVerifications)
    .values({ ...row, expiresAt: sql`now() + ${lifeMs} * interval '1 millisecond'` })
  return token
}

/** Looks at a value and leaves it. Undefined when it is over or was taken. */
export async function readTicket<T>(db: Db, kind: string, token: string | undefined): Promise<T | undefined> {
  if (token === undefined) return undefined
  const [found] = await db
    .select({ value: operatorVerifications.value })
    .from(operatorVerifications)
    .where(isTicket(kind, token))
  return found && (JSON.parse(found.value) as T)
}

/** Takes a value: of two that come at once one gets it. */
export async function takeTicket<T>(db: Db, kind: string, token: string | undefined): Promise<T | undefined> {
  if (token === undefined) return undefined
  const [taken] = await db
    .delete(operatorVerifications)
    .where(isTicket(kind, token))
    .returning({ value: operatorVerifications.value })
  return taken && (JSON.parse(taken.value) as T)
}

const isTicket = (kind: string, token: string) =>
  and(
    eq(operatorVerifications.identifier, identifierOf(kind, token)),
    gt(operatorVerifications.expiresAt, sql`now()`),
  )

/** Removes what was never taken. */
export async function forgetTickets(db: Db): Promise<void> {
  await db.delete(operatorVerifications).where(lt(operatorVerifications.expiresAt, sql`now()`))
}
