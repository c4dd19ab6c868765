// Which work takes something away from a repository for good.
import { eq } from 'drizzle-orm'
import type { JobSpec } from '@restic-manager/contract/command'
import type { JobKind } from '@restic-manager/contract/job'
import type { Db } from '../db/open.ts'
import { jobs, schedules } from '../db/schema.ts'
import type { Thing } from './scope.ts'

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

/** The repositories that running this schedule would change for everybody who uses them: those of a prune. A forget thins its own host's snapshots. */
export async function sharedBySchedule(db: Db, scheduleId: string): Promise<Thing[]> {
  const [row] = await db
    .select({ kind: schedules.kind, repositoryIds: schedules.repositoryIds })
    .from(schedules)
    .where(eq(schedules.id, scheduleId))
  if (row?.kind !== 'prune') return []
  return row.repositoryIds.map(id => ({ kind: 'shared repository', id }))
}

/** What trying this job again would change beyond its host: a repository for everybody who uses it, or snapshots of other hosts. */
export async function changedByJob(db: Db, jobId: string): Promise<Thing[]> {
  const [job] = await db.select().from(jobs).where(eq(jobs.id, jobId))
  if (job?.kind === 'prune' || job?.kind === 'unlock')
    return [{ kind: 'shared repository', id: job.repositoryId }]
  const targets = job?.kind === 'forget' && 'targets' in job.spec ? job.spec.targets : []
  return targets.map(({ hostId }) => ({ kind: 'host', id: hostId }))
}
