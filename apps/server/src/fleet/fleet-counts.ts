// The fleet in numbers, for who watches the server itself: one statement, whatever the size of the fleet.
import { sql } from 'drizzle-orm'
import type { Db } from '../db/open.ts'

export type FleetCounts = {
  hosts: { state: string; count: number }[]
  openJobs: { kind: string; status: string; count: number }[]
  /** As hosts said in their last heartbeat: what waits on their disks to be told. */
  spools: { facts: number; mostFacts: number; logBytes: number; full: number }
}

/** Counts hosts by state, jobs that have not ended, and what hosts still have to tell. Reads indexes of what is open, never all jobs. */
export async function countFleet(db: Db): Promise<FleetCounts> {
  const [counts] = await db.execute<FleetCounts>(sql`select
    (select coalesce(json_agg(h), '[]') from (
      select case when quarantined_at is not null then 'quarantined' when online then 'online' else 'offline' end as state,
        count(*)::int as count
      from hosts where removed_at is null group by 1) h) as hosts,
    (select coalesce(json_agg(j), '[]') from (
      select kind, status, count(*)::int as count from jobs
      where status in ('queued', 'accepted', 'running') group by 1, 2) j) as "openJobs",
    (select json_build_object('facts', coalesce(sum(spool_facts), 0), 'mostFacts', coalesce(max(spool_facts), 0),
        'logBytes', coalesce(sum(spool_log_bytes), 0), 'full', count(*) filter (where spool_full))
      from hosts where removed_at is null) as spools`)
  if (counts === undefined) throw new Error('a count has one row')
  return counts
}
