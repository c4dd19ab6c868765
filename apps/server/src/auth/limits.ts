// How often somebody may try to get in: counted in the database, so that all servers together count once.
import { lt, sql } from 'drizzle-orm'
import { newId } from '@restic-manager/contract/ids'
import { Refusal } from '@restic-manager/contract/refusal'
import type { Db } from '../db/open.ts'
import { signInLimits } from '../db/schema-operators.ts'

/** At most `max` tries in a window that begins with the first of them. */
export type Limit = { max: number; windowMs: number }

/** Too many tries; `retryAfterSeconds` says when the next one counts again. */
export class TooMany extends Refusal {
  readonly retryAfterSeconds: number
  constructor(retryAfterSeconds: number, sentence = 'Too many attempts. Wait a minute, then try again.') {
    super('too_many', sentence)
    this.retryAfterSeconds = Math.max(1, Math.ceil(retryAfterSeconds))
  }
}

/** Takes one try, whatever comes of it. Throws `TooMany` when none is left. `key` says what is tried, and by whom or from where. */
export async function takeTry(db: Db, key: string, { max, windowMs }: Limit): Promise<void> {
  const now = sql`(extract(epoch from clock_timestamp()) * 1000)::bigint`
  const isOver = sql`${signInLimits.lastRequest} <= ${now} - ${windowMs}::bigint`
  const [taken] = await db
    .insert(signInLimits)
    .values({ id: newId(), key, count: 1, lastRequest: now })
    .onConflictDoUpdate({
      target: signInLimits.key,
      set: {
        count: sql`case when ${isOver} then 1 else ${signInLimits.count} + 1 end`,
        lastRequest: sql`case when ${isOver} then ${now} else ${signInLimits.lastRequest} end`,
      },
    })
    .returning({
      count: signInLimits.count,
      leftMs: sql<number>`(${signInLimits.lastRequest} + ${windowMs}::bigint - ${now})::float8`,
    })
  if (taken !== undefined && taken.count > max) throw new TooMany(taken.leftMs / 1_000)
}

/** Forgets windows that are long over. */
export async function forgetLimits(db: Db): Promise<void> {
  await db.delete(signInLimits).where(lt(signInLimits.lastRequest, Date.now() - 24 * 3_600_000))
}
