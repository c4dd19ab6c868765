// Which history of the database this is. A standby that takes over begins another, and may lack the last writes of the one before.
import { sql } from 'drizzle-orm'

/**
 * The timeline the primary writes to, as the names of its log files begin: `00000001`, and another after each promotion. A restart
 * stays on it. Any role may ask, through a pooler too; only a standby cannot answer.
 */
export const currentTimeline = sql<string>`left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)`
