// Jobs as operators see them: lists, one job, and what moves while it runs.
import { and, desc, eq, gte, inArray, lt, sql } from 'drizzle-orm'
import { alias, type PgSelect } from 'drizzle-orm/pg-core'
import { z } from 'zod'
import type { JobKind, JobStatus } from '@restic-manager/contract/job'
import { Refusal } from '@restic-manager/contract/refusal'
import type { JobListRequest } from '@restic-manager/contract/requests'
import type { JobBrief, JobLive, JobPage, JobView } from '@restic-manager/contract/views'
import type { Db } from '../db/open.ts'
import { hosts, jobs, repositories, schedules } from '../db/schema.ts'
import { jobProgress, removedLogDays } from '../db/schema-logs.ts'
import { snapshots } from '../db/schema-snapshots.ts'
import { isAmong } from './among.ts'
import { cursorAt, keysOf } from './cursor.ts'
import { fewJobsIn, jobsIn, type Scope, wholeFleet } from './scope.ts'

const isOpen = sql`${jobs.status} in ('accepted', 'running')`

const servedHosts = alias(hosts, 'served_hosts')
const blockers = alias(jobs, 'blockers')
const blockerHosts = alias(hosts, 'blocker_hosts')

const briefColumns = {
  id: jobs.id,
  hostId: jobs.hostId,
  hostName: hosts.name,
  repositoryId: jobs.repositoryId,
  repositoryName: repositories.name,
  kind: jobs.kind,
  status: jobs.status,
  provisional: sql<boolean>`not ${jobs.reported} and not ${isOpen}`,
  reason: jobs.reason,
  error: jobs.error,
  warningCount: sql<number>`jsonb_array_length(${jobs.warnings})`,
  percentDone: sql<
    number | null
  >`case when ${isOpen} then (${jobProgress.progress} ->> 'percentDone')::float8 end`,
  bytesProcessed: sql<
    number | null
  >`case when jsonb_typeof(${jobs.stats} -> 'total_bytes_processed') = 'number'
    then (${jobs.stats} ->> 'total_bytes_processed')::float8 end`,
  dryRun: sql<boolean>`coalesce(${jobs.spec} ->> 'dryRun' = 'true', false)`,
  createdAt: jobs.createdAt,
  startedAt: jobs.startedAt,
  finishedAt: jobs.finishedAt,
  scheduleId: jobs.scheduleId,
  scheduleName: schedules.name,
  scheduledFor: jobs.scheduledFor,
  notRunFrom: jobs.notRunFrom,
  slotCount: jobs.slotCount,
  decidedBy: jobs.decidedBy,
  forHostName: servedHosts.name,
  retryOf: jobs.retryOf,
  attempt: jobs.attempt,
  notBefore: jobs.notBefore,
  waitsFor: sql<{ jobId: string; kind: JobKind; hostName: string } | null>`case
    when ${jobs.status} = 'queued' and ${jobs.releasedAt} is null and ${blockerHosts.name} is not null
    then jsonb_build_object('jobId', ${blockers.id}, 'kind', ${blockers.kind}, 'hostName', ${blockerHosts.name}) end`,
}

/** A list of jobs must stay one statement: each table beside it is read by its key. */
const withBeside = <T extends PgSelect>(query: T) =>
  query
    .innerJoin(hosts, eq(hosts.id, jobs.hostId))
    .leftJoin(repositories, eq(repositories.id, jobs.repositoryId))
    .leftJoin(jobProgress, eq(jobProgress.jobId, jobs.id))
    .leftJoin(schedules, eq(schedules.id, jobs.scheduleId))
    .leftJoin(servedHosts, eq(servedHosts.id, jobs.forHostId))
    .leftJoin(blockers, eq(blockers.id, jobs.waitsForJobId))
    .leftJoin(blockerHosts, eq(blockerHosts.id, blockers.hostId))

const selectBriefs = (db: Db) => withBeside(db.select(briefColumns).from(jobs).$dynamic())

const Keys = z.tuple([z.number(), z.uuid()])

/** A page of jobs, newest first. */
export async function jobPage(
  db: Db,
  scope: Scope,
  request: z.infer<typeof JobListRequest>,
): Promise<JobPage> {
  const after = keysOf(Keys, request.cursor)
  const most = request.limit + 1
  const newestFirst = [desc(jobs.createdAt), desc(jobs.id)]
  const which = and(
    jobsIn(scope),
    request.hostId === undefined ? undefined : eq(jobs.hostId, request.hostId),
    request.repositoryId === undefined ? undefined : eq(jobs.repositoryId, request.repositoryId),
    request.scheduleId === undefined ? undefined : eq(jobs.scheduleId, request.scheduleId),
    request.kinds === undefined ? undefined : inArray(jobs.kind, request.kinds),
    request.statuses === undefined ? undefined : inArray(jobs.status, request.statuses),
    request.from && gte(jobs.createdAt, request.from),
    request.until && lt(jobs.createdAt, request.until),
    after &&
      sql`(${jobs.createdAt}, ${jobs.id}) < (${new Date(after[0]).toISOString()}::timestamptz, ${after[1]}::uuid)`,
  )
  // Whose a job is stands in the index: jobs of hosts that are not seen are passed over there. As a list of its own: as a join it is one too many to be put in order.
  const seen = db
    .select({ id: jobs.id })
    .from(jobs)
    .where(which)
    .orderBy(...newestFirst)
    .limit(most)
  const rows = await selectBriefs(db)
    .where(scope === undefined ? which : sql`${jobs.id} = any(array(${seen}))`)
    .orderBy(...newestFirst)
    .limit(most)
  const page = rows.slice(0, request.limit)
  const last = page.at(-1)
  const hasMore = rows.length > page.length && last !== undefined
  return { rows: page, nextCursor: hasMore ? cursorAt([last.createdAt.getTime(), last.id]) : null }
}

/** The briefs of these jobs, by id. */
export async function briefsOf(db: Db, jobIds: readonly string[]): Promise<Map<string, JobBrief>> {
  if (jobIds.length === 0) return new Map()
  const rows = await selectBriefs(db).where(isAmong(jobs.id, jobIds))
  return new Map(rows.map(row => [row.id, row]))
}

const isFollowed = (status: JobStatus) => status === 'accepted' || status === 'running' || status === 'lost'

/** Everything about one job. Throws `job_not_found`. */
export async function viewJob(db: Db, jobId: string): Promise<JobView> {
  const query = db
    .select({
      ...briefColumns,
      spec: jobs.spec,
      requestedBy: jobs.requestedBy,
      acceptedAt: jobs.acceptedAt,
      cancelRequestedAt: jobs.cancelRequestedAt,
      cancelRequestedBy: jobs.cancelRequestedBy,
      command: jobs.command,
      resticVersion: jobs.resticVersion,
      exitCode: jobs.exitCode,
      signal: jobs.signal,
      stats: jobs.stats,
      warnings: jobs.warnings,
      snapshotId: sql<string | null>`(select ${snapshots.id} from ${snapshots}
        where ${snapshots.jobId} = ${jobs.id} and ${snapshots.hostId} = ${jobs.hostId} order by ${snapshots.time} desc limit 1)`,
      lastLogSeq: jobs.lastLogSeq,
      nextLogSeq: jobs.nextLogSeq,
      logRemovedAfterDays: removedLogDays.keptDays,
      progress: jobProgress.progress,
      progressAt: jobProgress.updatedAt,
      hostOnline: hosts.online,
      hostLastSeenAt: hosts.lastSeenAt,
    })
    .from(jobs)
    .leftJoin(removedLogDays, eq(removedLogDays.day, jobs.logDay))
    .$dynamic()
  const [row] = await withBeside(query).where(eq(jobs.id, jobId))
  if (row === undefined) throw new Refusal('job_not_found', 'There is no such job.')
  const { nextLogSeq, progress, progressAt, spec, stats, ...view } = row
  const showsProgress = isFollowed(row.status)
  return {
    ...view,
    spec: spec as JobView['spec'],
    stats: stats as JobView['stats'], // checked as JSON when it came in
    receivedLogSeq: nextLogSeq - 1,
    progress: showsProgress ? progress : null,
    progressAt: showsProgress ? progressAt : null,
  }
}

/** The host a job belongs to, which never changes. Throws `job_not_found`. */
export async function hostOfJob(db: Db, jobId: string): Promise<string> {
  const [job] = await db.select({ hostId: jobs.hostId }).from(jobs).where(eq(jobs.id, jobId))
  if (job === undefined) throw new Refusal('job_not_found', 'There is no such job.')
  return job.hostId
}

/** What moves while a job runs. Throws `job_not_found`, also for one that has left the scope. */
export async function liveJob(db: Db, jobId: string, scope: Scope = wholeFleet): Promise<JobLive> {
  const [row] = await db
    .select({
      status: jobs.status,
      progress: jobProgress.progress,
      progressAt: jobProgress.updatedAt,
      nextLogSeq: jobs.nextLogSeq,
      hostOnline: hosts.online,
      hostLastSeenAt: hosts.lastSeenAt,
    })
    .from(jobs)
    .innerJoin(hosts, eq(hosts.id, jobs.hostId))
    .leftJoin(jobProgress, eq(jobProgress.jobId, jobs.id))
    .where(and(eq(jobs.id, jobId), fewJobsIn(scope)))
  if (row === undefined) throw new Refusal('job_not_found', 'There is no such job.')
  const { nextLogSeq, ...live } = row
  const showsProgress = isFollowed(row.status)
  return {
    ...live,
    progress: showsProgress ? live.progress : null,
    progressAt: showsProgress ? live.progressAt : null,
    receivedLogSeq: nextLogSeq - 1,
  }
}
