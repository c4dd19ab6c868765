// What is of no use any more: spent challenges, old bearers, sessions and sign-in counts that ran out, reports that were never completed.
import { sql } from 'drizzle-orm'
import type { Db } from '../db/open.ts'

/** An unfinished report is kept this long: its last pages may still wait on a host that is away. */
const REPORT_KEPT = '14 days'

/** Deletes it. Safe to run anywhere, at any time, several at once. */
export async function clearLeftovers(db: Db): Promise<void> {
  await db.execute(sql`delete from session_challenges where expires_at < now()`)
  await db.execute(
    sql`update agent_sessions set bearer_hash = null, bearer_expires_at = null where bearer_expires_at < now() - interval '1 minute'`,
  )
  await db.execute(
    sql`delete from snapshot_report_pages where received_at < now() - ${REPORT_KEPT}::interval`,
  )
  await db.execute(sql`delete from operator_sessions where expires_at < now()`)
  await db.execute(sql`delete from operator_verifications where expires_at < now()`)
  await db.execute(
    sql`delete from sign_in_limits where last_request < extract(epoch from now() - interval '1 hour') * 1000`,
  )
}
