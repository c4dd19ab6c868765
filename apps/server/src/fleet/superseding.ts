// A newer slot takes the place of older ones that still wait.
import { and, eq, inArray, lt, sql } from 'drizzle-orm'
import { tellOfJobs } from './job-news.ts'
import type { Db } from '../db/open.ts'
import { jobs } from '../db/schema.ts'
import type { ScheduleRow } from './schedule-rows.ts'

type Newer = {
  row: Pick<ScheduleRow, 'id' | 'hostId'>
  /** Who runs the newer one. */
  hostId: string
  repositoryId: string
  /** The newer slot. */
  before: string
}

/**
 * Jobs of older slots that still wait give way to a newer one. A host that was promised such a job would run it by itself after a
 * while, so it is told to leave it.
 */
export async function supersede(tx: Db, { row, hostId, repositoryId, before }: Newer): Promise<void> {
  const given = await tx
    .update(jobs)
    .set({
      status: 'skipped',
      reason: 'superseded',
      finishedAt: sql`now()`,
      waitsForJobId: null,
      cancelRequestedAt: sql`case when ${jobs.releasedAt} is null and ${jobs.forHostId} is not null
        then ${jobs.cancelRequestedAt} else coalesce(${jobs.cancelRequestedAt}, now()) end`,
    })
    .where(
      and(
        inArray(jobs.hostId, [...new Set([row.hostId, hostId])]),
        eq(jobs.status, 'queued'),
        eq(jobs.decidedBy, 'server'),
        eq(jobs.scheduleId, row.id),
        eq(jobs.repositoryId, repositoryId),
        lt(jobs.scheduledFor, new Date(before)),
      ),
    )
    .returning({ id: jobs.id, hostId: jobs.hostId })
  await tellOfJobs(tx, given)
}
