// Which connected hosts may stay: asked when something about a host changed.
import { isOneOf } from '../db/listed.ts'
import type { Db } from '../db/open.ts'
import { hosts } from '../db/schema.ts'
import { currentTimeline } from '../db/timeline.ts'

/** `shut`: removed or in quarantine. `session`: the newest one proven; older ones are fenced off, and so are those of another `timeline`. */
export type Standing = { shut: boolean; session: number; timeline: string }

/** The standing of each of `ids`. A host that does not exist any more is not in the answer. */
export async function standingOf(db: Db, ids: readonly string[]): Promise<Map<string, Standing>> {
  const standings = new Map<string, Standing>()
  const { id, sessionNumber, removedAt, quarantinedAt } = hosts
  const rows = await db
    .select({ id, sessionNumber, removedAt, quarantinedAt, timeline: currentTimeline })
    .from(hosts)
    .where(isOneOf(hosts.id, ids))
  for (const row of rows)
    standings.set(row.id, {
      shut: row.removedAt !== null || row.quarantinedAt !== null,
      session: row.sessionNumber,
      timeline: row.timeline,
    })
  return standings
}
