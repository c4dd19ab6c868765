// Many sessions in one statement, as a table to join `hosts` with.
import { type SQL, sql } from 'drizzle-orm'
import type { HostSession } from '../context.ts'
import { currentTimeline } from '../db/timeline.ts'

/**
 * The table `asked`: each session with its place in the list, `at`, and what `columns` names of what else came with it, as a
 * definition of columns.
 */
export const askedSessions = (inputs: readonly HostSession[], columns: SQL = sql``): SQL =>
  sql`jsonb_to_recordset(${JSON.stringify(inputs.map((input, at) => ({ ...input, at })))}::jsonb)
    as asked(at integer, id uuid, session bigint, timeline text${columns})`

/** As `isNewestSession`, of a host and the session of `asked` that is meant to be its own. */
export const isAskedSession = sql`hosts.id = asked.id and hosts.session_number = asked.session
  and hosts.quarantined_at is null and hosts.removed_at is null and asked.timeline = (select ${currentTimeline})`
