// The second factor of an account: codes of an authenticator app, and recovery codes that are each good once.
import { createHash, randomBytes } from 'node:crypto'
import { and, eq, isNull, lt, or, sql } from 'drizzle-orm'
import { newId } from '@restic-manager/contract/ids'
import { Refusal } from '@restic-manager/contract/refusal'
import type { Db } from '../db/open.ts'
import { operators, operatorSessions, operatorTwoFactors as factors } from '../db/schema-operators.ts'
import { type Seal, sealWithin } from '../db/seal.ts'
import type { SealPlace } from '../db/sealed-columns.ts'
import { TooMany } from './limits.ts'
import { base32, stepOfCode, totpAddress } from './totp.ts'

/** Wrong codes in a row until nothing is taken for a while. */
const mostFailures = 10
const lockMinutes = 15
const recoveryCodes = 10

const placeOf = (row: string): SealPlace => ({ table: 'operator_two_factors', row, column: 'secret' })

/** People type them from paper: case and dashes do not matter. */
const hashOf = (code: string) =>
  createHash('sha256')
    .update(code.toLowerCase().replaceAll(/[^a-z2-7]/g, ''))
    .digest('hex')

function makeRecoveryCodes() {
  const codes = Array.from({ length: recoveryCodes }, () =>
    base32(randomBytes(10))
      .toLowerCase()
      .replaceAll(/(.{4})(?=.)/g, '$1-'),
  )
  return { codes, kept: JSON.stringify(codes.map(hashOf)) }
}

/** A fresh secret that counts once `confirmSecondFactor` has seen a code of it. */
export async function beginSecondFactor(
  db: Db,
  seal: Seal,
  { operatorId, email }: { operatorId: string; email: string },
): Promise<{ address: string; secret: string }> {
  const secret = randomBytes(20)
  const id = newId()
  const made = await db.transaction(async tx => {
    await tx.delete(factors).where(and(eq(factors.userId, operatorId), eq(factors.verified, false)))
    const sealed = await sealWithin(tx, seal, secret.toString('base64url'), placeOf(id))
    return tx
      .insert(factors)
      .values({ id, userId: operatorId, secret: sealed, backupCodes: '[]', verified: false })
      .onConflictDoNothing()
      .returning({ id: factors.id })
  })
  if (made.length === 0)
    throw new Refusal('not_allowed', 'This account has an authenticator app already. Remove that one first.')
  return { address: totpAddress(secret, { issuer: 'restic-manager', email }), secret: base32(secret) }
}

/** Turns the second factor on with a first code. The recovery codes of the answer are never seen again. */
export async function confirmSecondFactor(
  db: Db,
  seal: Seal,
  { operatorId, sessionId, code }: { operatorId: string; sessionId: string; code: string },
): Promise<string[]> {
  const [begun] = await db
    .select()
    .from(factors)
    .where(and(eq(factors.userId, operatorId), eq(factors.verified, false)))
  const step = begun && stepOfCode(openSecret(seal, begun), code, Date.now())
  if (begun === undefined || step === undefined)
    throw new Refusal(
      'bad_input',
      'This code is not right. Codes change every 30 seconds; check the clock of the device.',
    )
  const { codes, kept } = makeRecoveryCodes()
  await db.transaction(async tx => {
    await tx
      .update(factors)
      .set({ verified: true, lastStep: step, backupCodes: kept })
      .where(eq(factors.id, begun.id))
    await tx.update(operators).set({ twoFactorEnabled: true }).where(eq(operators.id, operatorId))
    await proveOnly(tx, operatorId, sessionId)
  })
  return codes
}

/** New recovery codes in place of all that were there. */
export async function renewRecoveryCodes(db: Db, operatorId: string): Promise<string[]> {
  const { codes, kept } = makeRecoveryCodes()
  const renewed = await db
    .update(factors)
    .set({ backupCodes: kept })
    .where(and(eq(factors.userId, operatorId), eq(factors.verified, true)))
    .returning({ id: factors.id })
  if (renewed.length === 0) throw new Refusal('no_second_factor', 'This account has no authenticator app.')
  return codes
}

/** Removes the authenticator app and its recovery codes. Safe to call twice. */
export async function removeSecondFactor(db: Db, operatorId: string): Promise<void> {
  await db.transaction(async tx => {
    await tx.delete(factors).where(eq(factors.userId, operatorId))
    await tx.update(operators).set({ twoFactorEnabled: false }).where(eq(operators.id, operatorId))
  })
}

/**
 * Takes a code of the app, once, or a recovery code, once. False when it is neither. Wrong ones are counted before they are looked
 * at, so that many at once get no further; throws `TooMany` while the account is locked.
 */
export async function takeCode(db: Db, seal: Seal, operatorId: string, code: string): Promise<boolean> {
  const isTheirs = and(eq(factors.userId, operatorId), eq(factors.verified, true))
  const failures = sql<number>`case when ${factors.lockedUntil} is null then ${factors.failedVerificationCount} + 1 else 1 end`
  const [taken] = await db
    .update(factors)
    .set({
      failedVerificationCount: failures,
      lockedUntil: sql`case when ${failures} >= ${mostFailures} then now() + ${lockMinutes} * interval '1 minute' end`,
    })
    .where(and(isTheirs, or(isNull(factors.lockedUntil), lt(factors.lockedUntil, sql`now()`))))
    .returning()
  if (taken === undefined) {
    const [locked] = await db.select({ id: factors.id }).from(factors).where(isTheirs)
    if (locked === undefined) return false
    throw new TooMany(
      lockMinutes * 60,
      `Too many wrong codes. Wait ${lockMinutes} minutes, or use a passkey.`,
    )
  }
  const free = { failedVerificationCount: 0, lockedUntil: null }
  const step = stepOfCode(openSecret(seal, taken), code.trim(), Date.now())
  if (step !== undefined) {
    const used = await db
      .update(factors)
      .set({ ...free, lastStep: step })
      .where(and(eq(factors.id, taken.id), or(isNull(factors.lastStep), lt(factors.lastStep, step))))
      .returning({ id: factors.id })
    return used.length === 1
  }
  const hash = hashOf(code)
  const spent = await db
    .update(factors)
    .set({ ...free, backupCodes: sql`((${factors.backupCodes})::jsonb - ${hash}::text)::text` })
    .where(and(eq(factors.id, taken.id), sql`(${factors.backupCodes})::jsonb ? ${hash}::text`))
    .returning({ id: factors.id })
  return spent.length === 1
}

/** This session has shown a factor that is stronger than what the others have shown. */
export async function proveOnly(tx: Db, operatorId: string, sessionId: string): Promise<void> {
  await tx
    .update(operatorSessions)
    .set({
      provedAt: sql`case when ${operatorSessions.id} = ${sessionId} then now() else 'epoch'::timestamptz end`,
    })
    .where(eq(operatorSessions.userId, operatorId))
}

const openSecret = (seal: Seal, row: { id: string; secret: string }) =>
  Buffer.from(seal.open(row.secret, placeOf(row.id)).reveal(), 'base64url')
