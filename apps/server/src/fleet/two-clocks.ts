// Nothing is removed because it is old while two clocks do not agree on what day it is.
import { sql } from 'drizzle-orm'
import type { Db } from '../db/open.ts'

const DAY_MS = 86_400_000

/** `today`: the day in UTC by the database, as `2026-11-23`. `apartMs`: how far its clock is from this server's, when that is too far. */
export type TwoClocks = { today: string; apartMs?: number }

/** A clock that jumped ahead would make everything old. `now`: this server's. */
export async function readTwoClocks(db: Db, now: () => number = Date.now): Promise<TwoClocks> {
  const [clock] = await db.execute<{ today: string; ms: number }>(sql`
    select (now() at time zone 'utc')::date::text as today, extract(epoch from now())::float8 * 1000 as ms`)
  if (clock === undefined) throw new Error('the database did not say what time it is')
  const apartMs = Math.round(clock.ms - now())
  return Math.abs(apartMs) > DAY_MS ? { today: clock.today, apartMs } : { today: clock.today }
}
