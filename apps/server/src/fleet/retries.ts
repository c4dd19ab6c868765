// Trying again: what a schedule's rule, an operator, or a lock that was cleared makes of a job that ended.
import { and, eq, gt, isNull, notInArray, sql } from 'drizzle-orm'
import type { z } from 'zod'
import { type JobSpec, jobSpecs } from '@restic-manager/contract/command'
import { hasEnded } from '@restic-manager/contract/job-ended'
import type { JobReason } from '@restic-manager/contract/reasons'
import { Refusal } from '@restic-manager/contract/refusal'
import type { JobRetryRequest } from '@restic-manager/contract/requests'
import { specOfSchedule } from '@restic-manager/contract/schedule'
import { retryJobId } from '@restic-manager/contract/slots'
import type { Db } from '../db/open.ts'
import { hosts, jobs, schedules } from '../db/schema.ts'
import type { LinePeriods } from './dispatch.ts'
import { checkWork } from './host-policies.ts'
import { type Asking, checkHost, checkIsIdle, refusalOf } from './jobs.ts'
import { type NewJob, queueJobs } from './new-jobs.ts'
import { isPausedNow } from './pauses.ts'
import { type Place, placeJob } from './placement.ts'
import { scheduleOf } from './schedule-rows.ts'

/** Trying again cannot help: somebody has to change something first, or the time for it is over. */
const hopeless: ReadonlySet<string> = new Set([
  'wrong_password',
  'repository_missing',
  'refused_by_policy',
  'unsupported',
  'unsafe_retention',
  'nothing_kept',
  'bad_request',
  'configuration_missing',
  'restic_missing',
  'no_maintenance_host',
  'superseded',
  'overlap',
  'host_was_off',
  'schedule_paused',
  'host_paused',
  'schedule_deleted',
] satisfies JobReason[])

export type EndedJob = typeof jobs.$inferSelect
type ScheduleRow = typeof schedules.$inferSelect

/** Who asked for the work: the host whose schedule it is. */
const ownerOf = (job: EndedJob) => job.forHostId ?? job.hostId

/**
 * Queues the next attempt of a scheduled job that its agent reported as failed, when the schedule as it is now says so: not
 * for what cannot get better by itself, not once a newer slot has a job, and not while its host is paused. `beyond`: one attempt more than the rule gives.
 * Safe to call twice: the id of an attempt is derived.
 */
export async function queueRetry(
  tx: Db,
  job: EndedJob,
  periods: LinePeriods,
  { beyond = 0 }: { beyond?: number } = {},
): Promise<void> {
  const { scheduleId, repositoryId } = job
  if (scheduleId === null || job.status !== 'failed' || !job.reported || hopeless.has(job.reason ?? ''))
    return
  const [row] = await tx
    .select()
    .from(schedules)
    .where(
      and(
        eq(schedules.id, scheduleId),
        eq(schedules.enabled, true),
        isNull(schedules.deletedAt),
        sql`not exists (select 1 from ${hosts} where ${hosts.id} = ${schedules.hostId} and ${isPausedNow})`,
      ),
    )
  // A host may name any schedule in what it reports.
  if (row === undefined || row.hostId !== ownerOf(job) || row.kind !== job.kind) return
  const { retry } = row.definition
  const attempt = job.attempt + 1
  if (attempt > (retry?.count ?? 0) + beyond || !row.repositoryIds.includes(repositoryId)) return
  if (await isOvertaken(tx, job, scheduleId)) return
  const place = await placeJob(tx, { kind: job.kind, hostId: row.hostId, repositoryId })
  if ('refused' in place) return
  const delayMs = beyond > 0 ? 0 : (retry?.delaySeconds ?? 0) * 1_000
  const notBefore = new Date((job.finishedAt ?? new Date()).getTime() + delayMs)
  await queueJobs(
    tx,
    [
      {
        ...attemptOf(job, attempt, place),
        spec: specNow(row, job),
        scheduledFor: job.scheduledFor ?? undefined,
        notBefore,
      },
    ],
    periods,
  )
}

/** Whether a newer slot of the schedule has a job on this repository already. */
async function isOvertaken(tx: Db, job: EndedJob, scheduleId: string): Promise<boolean> {
  const newer = await tx
    .select({ id: jobs.id })
    .from(jobs)
    .where(
      and(
        eq(jobs.scheduleId, scheduleId),
        eq(jobs.repositoryId, job.repositoryId),
        gt(jobs.scheduledFor, job.scheduledFor ?? job.createdAt),
        notInArray(jobs.status, ['missed', 'skipped']),
      ),
    )
    .limit(1)
  return newer.length > 0
}

const attemptOf = (job: EndedJob, attempt: number, place: Place): Omit<NewJob, 'spec'> => ({
  id: retryJobId(job.retryOf ?? job.id, attempt),
  ...place,
  repositoryId: job.repositoryId,
  kind: job.kind,
  scheduleId: job.scheduleId ?? undefined,
  retryOf: job.retryOf ?? job.id,
  attempt,
})

/** What the schedule tells its jobs now; of a check that reads in turns, the part that failed. */
function specNow(row: ScheduleRow, job: EndedJob): JobSpec {
  const part = 'readPart' in job.spec ? job.spec.readPart?.part : undefined
  return specOfSchedule(scheduleOf(row), { hostId: row.hostId, ...(part === undefined ? {} : { part }) })
}

/**
 * Runs an ended job again for an operator, as a new one. A repeat with the same request id starts nothing. Throws
 * `job_not_found`, `job_not_ended`, `request_reused`, and whatever keeps a job from running where this one belongs.
 */
export async function retryJob(
  db: Db,
  { requestId, jobId }: z.infer<typeof JobRetryRequest>,
  { requestedBy, ...periods }: Asking,
): Promise<{ jobId: string }> {
  return db.transaction(async tx => {
    // The row is held, so that two who ask at once make two attempts, or one when it is the same request.
    const [job] = await tx.select().from(jobs).where(eq(jobs.id, jobId)).for('no key update')
    if (job === undefined) throw new Refusal('job_not_found', 'There is no such job.')
    const root = job.retryOf ?? job.id
    const before = await attemptOfRequest(tx, requestId, root)
    if (before !== undefined) return before
    if (!hasEnded(job.status))
      throw new Refusal('job_not_ended', 'This job has not ended yet. Wait for it, or cancel it.')
    const spec = await specAgain(tx, job)
    const { kind, repositoryId } = job
    const dryRun = 'dryRun' in spec && spec.dryRun
    const place = await placeJob(tx, { kind, hostId: ownerOf(job), repositoryId, dryRun })
    if ('refused' in place) throw refusalOf(place)
    await checkHost(tx, place.hostId)
    await checkWork(tx, place, { repositoryId, spec })
    if (kind === 'unlock') await checkIsIdle(tx, repositoryId)
    for (let attempt = await nextAttempt(tx, root); ; attempt += 1) {
      const again = { ...attemptOf(job, attempt, place), spec, requestId, requestedBy }
      const [made] = await queueJobs(tx, [again], periods)
      if (made !== undefined) return { jobId: made }
      const raced = await attemptOfRequest(tx, requestId, root)
      if (raced !== undefined) return raced
    }
  })
}

/** What this request has started already. Throws `request_reused` when that is something else. */
async function attemptOfRequest(tx: Db, requestId: string, root: string) {
  const [before] = await tx
    .select({ jobId: jobs.id, retryOf: jobs.retryOf })
    .from(jobs)
    .where(eq(jobs.requestId, requestId))
  if (before === undefined) return undefined
  if (before.retryOf !== root)
    throw new Refusal('request_reused', 'This request id has started another job. Send a new one.')
  return { jobId: before.jobId }
}

async function nextAttempt(tx: Db, root: string): Promise<number> {
  const [last] = await tx
    .select({ attempt: sql<number>`coalesce(max(${jobs.attempt}), 0)` })
    .from(jobs)
    .where(eq(jobs.retryOf, root))
  return (last?.attempt ?? 0) + 1
}

/** What the job was told; of one that only its host knew, what its schedule says. */
async function specAgain(tx: Db, job: EndedJob): Promise<JobSpec> {
  const told = jobSpecs[job.kind].safeParse(job.spec)
  if (told.success) return told.data
  const [row] =
    job.scheduleId === null ? [] : await tx.select().from(schedules).where(eq(schedules.id, job.scheduleId))
  if (row === undefined || row.hostId !== ownerOf(job) || row.kind !== job.kind)
    throw new Refusal('bad_input', 'What this job was told to do is not known here. Start a new one.')
  return specNow(row, job)
}
