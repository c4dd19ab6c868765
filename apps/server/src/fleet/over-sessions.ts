// Which connected hosts may not stay: asked of all now and then, and of one when something about it changed.
import { sql } from 'drizzle-orm'
import type { HostSession } from '../context.ts'
import type { Db } from '../db/open.ts'
import { currentTimeline } from '../db/timeline.ts'
import { askedSessions } from './asked-sessions.ts'

/** `shut`: removed, or in quarantine. `fenced`: another session was proven since. `overtaken`: it began on another timeline. */
export type Over = 'shut' | 'fenced' | 'overtaken'

/** Sessions in one statement. */
const SLICE = 1_000

/** Where in `sessions` there are some that are over, each with why. Nothing is read of who may stay, which are nearly all. */
export async function overAmong(
  db: Db,
  sessions: readonly HostSession[],
): Promise<{ at: number; over: Over }[]> {
  const found: { at: number; over: Over }[] = []
  for (let first = 0; first < sessions.length; first += SLICE) {
    const slice = sessions.slice(first, first + SLICE)
    const rows = await db.execute<{ at: number; over: Over }>(sql`
      select * from (
        select asked.at, case
          when hosts.id is null or hosts.removed_at is not null or hosts.quarantined_at is not null then 'shut'
          when hosts.session_number > asked.session then 'fenced'
          when asked.timeline <> (select ${currentTimeline}) then 'overtaken' end as over
        from ${askedSessions(slice)} left join hosts on hosts.id = asked.id) as judged
      where over is not null`)
    for (const { at, over } of rows) found.push({ at: first + at, over })
  }
  return found
}
