// Which jobs of a host it has to be told of. To be used where `hosts` is the table around it.
import { sql } from 'drizzle-orm'

/** Open jobs that are looked at. What is beyond waits until these are answered. */
const MOST_OPEN = 1_000

// Columns are named in full: from a single table Drizzle writes bare names, and the inner table would take them.

/** The ids of jobs that were let go and have not expired, oldest first. */
export const queuedOf = sql<string[]>`array(select jobs.id from jobs
  where jobs.host_id = hosts.id and jobs.status = 'queued'
    and jobs.released_at is not null and jobs.decided_by = 'server'
    and (jobs.not_before is null or jobs.not_before <= now())
    and (jobs.expires_at is null or jobs.expires_at > now())
    and (not jobs.elevated or exists (select 1 from repositories
      where repositories.id = jobs.repository_id and repositories.maintenance_host_id = hosts.id))
  order by jobs.created_at, jobs.id limit ${MOST_OPEN})`

/** The ids of jobs that are to be cancelled and whose end was not reported, the newest wish first. */
export const cancelledOf = sql<string[]>`array(select jobs.id from jobs
  where jobs.host_id = hosts.id and jobs.cancel_requested_at is not null and not jobs.reported
  order by jobs.cancel_requested_at desc, jobs.id limit ${MOST_OPEN})`
