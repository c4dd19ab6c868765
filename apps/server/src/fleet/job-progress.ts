// Where running jobs stand. A fleet that backs up at once says so thousands of times a second: one statement keeps what came together.
import { sql } from 'drizzle-orm'
import type { JobProgress } from '@restic-manager/contract/job'
import { telling } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { together } from '../db/together.ts'
import { askedSessions, isAskedSession } from './asked-sessions.ts'
import type { Sender } from './facts.ts'
import { explainNothing } from './job-reports.ts'

/** Where a running job stands: newest wins, lossy, kept only while the job is open. Throws as `explainNothing`. */
export async function keepProgress(
  db: Db,
  sender: Sender,
  { jobId, ...progress }: JobProgress,
): Promise<void> {
  const isKept = await keep(db, { ...sender, jobId, progress })
  if (isKept === undefined) await explainNothing(db, sender, jobId)
}

type Said = Sender & { jobId: string; progress: Omit<JobProgress, 'jobId'> }

/**
 * Of several words about one job the last counts. A job whose row is held is left out, also of one that is asked for alone: whoever
 * holds it may be recording its end, and nothing is put back behind that.
 */
const keep = together<Said, true>(async (db, said) => {
  const kept = await db.execute<{ jobId: string; hostId: string }>(sql`
    with asked as materialized (
      select distinct on (asked.id, asked."jobId") asked.*
      from ${askedSessions(said, sql`, "jobId" uuid, progress jsonb`)} order by asked.id, asked."jobId", asked.at desc
    ), held as materialized (
      select asked.* from jobs join asked on jobs.id = asked."jobId" and jobs.host_id = asked.id
      join hosts on ${isAskedSession}
      where not jobs.reported order by jobs.id for share of jobs skip locked
    )
    insert into job_progress (job_id, host_id, progress, updated_at) select "jobId", id, progress, now() from held order by "jobId"
    on conflict (job_id) do update set progress = excluded.progress, updated_at = excluded.updated_at
    returning job_id as "jobId", host_id as "hostId", ${telling('progress', sql`job_id`)} as told`)
  const jobsKept = new Set(kept.map(({ hostId, jobId }) => `${hostId} ${jobId}`))
  return said.map(({ id, jobId }) => (jobsKept.has(`${id} ${jobId}`.toLowerCase()) ? true : undefined))
})
