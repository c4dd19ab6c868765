// Which job rows say something about the repository they name: a host may name any repository in what it reports.
import { sql } from 'drizzle-orm'

/**
 * True for a job the server itself made on its repository, and for one of a host that has access to it or maintains it. A row
 * that the server queued is its own, and only it says when one expires. Names its columns in full, for any query in which the
 * table `jobs` goes by its own name.
 */
export const concernsItsRepository = sql`(jobs.request_id is not null or jobs.expires_at is not null or (jobs.status = 'queued' and jobs.decided_by = 'server')
  or exists (select 1 from host_repositories
    where host_repositories.host_id = jobs.host_id and host_repositories.repository_id = jobs.repository_id)
  or exists (select 1 from repositories maintained
    where maintained.id = jobs.repository_id and maintained.maintenance_host_id = jobs.host_id))`
