// Which work takes something away from a repository for good.
import { eq } from 'drizzle-orm'
import type { JobSpec } from '@restic-manager/contract/command'
import type { JobKind } from '@restic-manager/contract/job'
import type { Db } from '../db/open.ts'
import { jobs, schedules } from '../db/schema.ts'

/** Whether a run of this kind lets go of snapshots or data. A preview does not. */
export const removes = (kind: JobKind, spec?: JobSpec): boolean =>
  kind === 'prune' || (kind === 'forget' && !(spec !== undefined && 'dryRun' in spec && spec.dryRun))

/** Whether trying this job again would. */
export async function jobRemoves(db: Db, jobId: string): Promise<boolean> {
  const [job] = await db.select({ kind: jobs.kind, spec: jobs.spec }).from(jobs).where(eq(jobs.id, jobId))
  return job !== undefined && removes(job.kind, job.spec)
}

/** Whether running this schedule would. */
export async function scheduleRemoves(db: Db, scheduleId: string): Promise<boolean> {
  const [row] = await db.select({ kind: schedules.kind }).from(schedules).where(eq(schedules.id, scheduleId))
  return row !== undefined && removes(row.kind)
}
