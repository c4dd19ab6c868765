// What an account can show of itself, and which of it counts: the password only where there is nothing stronger.
import { and, eq, sql } from 'drizzle-orm'
import type { Db } from '../db/open.ts'
import { operatorAccounts, operatorPasskeys, operatorTwoFactors } from '../db/schema-operators.ts'
import type { Seal } from '../db/seal.ts'
import { takeTry } from './limits.ts'
import { takePasskey } from './passkeys.ts'
import { isPasswordOf } from './passwords.ts'
import { takeCode } from './second-factors.ts'

/** `code`: an authenticator app with its recovery codes. `provider`: signing in through the identity provider again. */
export type Way = 'password' | 'code' | 'passkey' | 'provider'

/** What somebody shows. */
export type Shown = { password: string } | { code: string } | { ticket: string; passkey: unknown }

/** The factors beside the password. Empty: the account has none yet. */
export async function secondWays(db: Db, operatorId: string): Promise<Way[]> {
  const [has] = await db.execute<{ code: boolean; passkey: boolean }>(sql`select
    exists(select 1 from ${operatorTwoFactors} where operator_id = ${operatorId} and verified) as code,
    exists(select 1 from ${operatorPasskeys} where operator_id = ${operatorId}) as passkey`)
  return (['passkey', 'code'] as const).filter(way => has?.[way] === true)
}

/** What counts as proof for what needs a fresh one. */
export async function provingWays(db: Db, operatorId: string): Promise<Way[]> {
  const second = await secondWays(db, operatorId)
  if (second.length > 0) return second
  const [password] = await db
    .select({ id: operatorAccounts.id })
    .from(operatorAccounts)
    .where(and(eq(operatorAccounts.userId, operatorId), eq(operatorAccounts.providerId, 'credential')))
  return [password === undefined ? 'provider' : 'password']
}

type Showing = { operatorId: string; shown: Shown; ways: readonly Way[]; seal: Seal; publicUrl: string }

/** Whether `shown` is right and among `ways`. Throws `TooMany` after too many tries for one account. */
export async function showsFactor(
  db: Db,
  { operatorId, shown, ways, seal, publicUrl }: Showing,
): Promise<boolean> {
  await takeTry(db, `prove:${operatorId}`, { max: 20, windowMs: 60_000 })
  if ('password' in shown) return ways.includes('password') && isPasswordOf(db, operatorId, shown.password)
  if ('code' in shown) return ways.includes('code') && takeCode(db, seal, operatorId, shown.code)
  const { ticket, passkey } = shown
  return (
    ways.includes('passkey') &&
    (await takePasskey(db, publicUrl, { ticket, response: passkey })) === operatorId
  )
}
