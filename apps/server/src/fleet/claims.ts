// Which job rows say something about the repository they name: a host may name any repository in what it reports.
import { sql } from 'drizzle-orm'

/**
 * True for a job the server itself made on its repository, and for one of a host with access to it. Names its columns in
 * full, for any query in which the table `jobs` goes by its own name.
 */
export const concernsItsRepository = sql`(jobs.request_id is not null or exists (
  select 1 from host_repositories
  where host_repositories.host_id = jobs.host_id and host_repositories.repository_id = jobs.repository_id))`
