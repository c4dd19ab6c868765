// Jobs as operators ask for them: run, cancel, expire. The row is the command.
import { and, eq, inArray, isNull, or, sql } from 'drizzle-orm'
import type { z } from 'zod'
import { newId } from '@restic-manager/contract/ids'
import { hasEnded } from '@restic-manager/contract/job-ended'
import { Refusal } from '@restic-manager/contract/refusal'
import type { JobRunRequest } from '@restic-manager/contract/requests'
import { timing, type Timing } from '@restic-manager/contract/timing'
import type { Db } from '../db/open.ts'
import { hosts, jobs } from '../db/schema.ts'
import { isBusy } from './busy.ts'
import { dispatch, type LinePeriods } from './dispatch.ts'
import { checkWork } from './host-policies.ts'
import { tellOfJobs } from './job-news.ts'
import { queueJobs } from './new-jobs.ts'
import { type NoPlace, type Place, placeJob } from './placement.ts'

type RunRequest = z.infer<typeof JobRunRequest>

/** Who asks for a job, and how long it may stay unclaimed once it was let go. */
export type Asking = { requestedBy: string } & Pick<Timing, 'queuedLife'> & Partial<Timing>

/**
 * Queues a job for a host, connected or not. A repeat with the same request id starts nothing and answers the same job.
 * Throws `host_not_found`, `host_quarantined`, `repository_not_on_host`, `not_maintenance_host`, `refused_by_policy`,
 * `repository_busy` or `request_reused`.
 */
export async function runJob(
  db: Db,
  request: RunRequest,
  { requestedBy, ...periods }: Asking,
): Promise<{ jobId: string }> {
  return db.transaction(async tx => {
    const before = await jobOfRequest(tx, request)
    if (before !== undefined) return before
    const { elevated } = await placeRequest(tx, request)
    const { requestId, hostId, repositoryId, kind, spec } = request
    const job = { id: newId(), hostId, repositoryId, kind, spec, requestId, requestedBy, elevated }
    const [jobId] = await queueJobs(tx, [job], periods)
    if (jobId !== undefined) return { jobId }
    const raced = await jobOfRequest(tx, request)
    if (raced === undefined) throw new Error('a job that was in the way of another is not there')
    return raced
  })
}

async function jobOfRequest(tx: Db, request: RunRequest): Promise<{ jobId: string } | undefined> {
  const [job] = await tx
    .select({ jobId: jobs.id, hostId: jobs.hostId, repositoryId: jobs.repositoryId, kind: jobs.kind })
    .from(jobs)
    .where(eq(jobs.requestId, request.requestId))
  if (job === undefined) return undefined
  if (job.hostId !== request.hostId || job.repositoryId !== request.repositoryId || job.kind !== request.kind)
    throw new Refusal('request_reused', 'This request id has started another job. Send a new one.')
  return { jobId: job.jobId }
}

/** An operator names the host a job runs on; one that has to run elsewhere is refused, with the name of that host. */
async function placeRequest(tx: Db, { hostId, repositoryId, kind, spec }: RunRequest): Promise<Place> {
  await checkHost(tx, hostId)
  const dryRun = 'dryRun' in spec && spec.dryRun
  const place = await placeJob(tx, { kind, hostId, repositoryId, dryRun })
  if ('refused' in place) throw refusalOf(place)
  if (place.hostId !== hostId) {
    const [right] = await tx.select({ name: hosts.name }).from(hosts).where(eq(hosts.id, place.hostId))
    throw new Refusal(
      'not_maintenance_host',
      `The ${kind} of this repository runs on its maintenance host, ${right?.name}. Start it there.`,
    )
  }
  await checkWork(tx, place, { repositoryId, spec, isNew: true })
  if (kind === 'unlock') await checkIsIdle(tx, repositoryId)
  return place
}

/** Throws `host_not_found`, `host_quarantined` or `host_waiting`. */
export async function checkHost(tx: Db, hostId: string): Promise<void> {
  const [host] = await tx
    .select({ quarantinedAt: hosts.quarantinedAt, awaitsApprovalSince: hosts.awaitsApprovalSince })
    .from(hosts)
    .where(and(eq(hosts.id, hostId), isNull(hosts.removedAt)))
    .for('key share')
  if (host === undefined) throw new Refusal('host_not_found', 'There is no such host.')
  if (host.quarantinedAt !== null)
    throw new Refusal(
      'host_quarantined',
      'This host is quarantined and gets no orders. Release it, or remove it and enrol it again.',
    )
  if (host.awaitsApprovalSince !== null)
    throw new Refusal('host_waiting', 'This host waits for an admin to let it in, and gets no orders.')
}

/** Why a job can be placed nowhere, in a sentence for who asked. */
export const refusalOf = ({ refused }: NoPlace): Refusal =>
  refused === 'no_maintenance_host'
    ? new Refusal(
        'not_maintenance_host',
        'This repository has no maintenance host, and this needs one. Choose one on its page.',
      )
    : new Refusal(
        'repository_not_on_host',
        'This host has no access to this repository. Give it access first.',
      )

/** Throws `repository_busy` while the records show a live job: an unlock must not meet one. */
export async function checkIsIdle(tx: Db, repositoryId: string): Promise<void> {
  if (await isBusy(tx, repositoryId))
    throw new Refusal(
      'repository_busy',
      'A job is running on this repository. Unlock it when that has ended.',
    )
}

/**
 * Wishes a job to end. One that nobody has accepted is cancelled here and now, provisionally; the agent is told in any case
 * until it has answered. Safe to call twice. Throws `job_not_found` or `job_ended`.
 */
export async function cancelJob(
  db: Db,
  { jobId, requestedBy }: { jobId: string; requestedBy: string },
  periods: LinePeriods = timing,
): Promise<void> {
  await db.transaction(async tx => {
    const whenQueued = <T>(then: T) => sql`case when ${jobs.status} = 'queued' then ${then} end`
    const [wished] = await tx
      .update(jobs)
      .set({
        cancelRequestedAt: sql`now()`,
        cancelRequestedBy: requestedBy,
        status: sql`case when ${jobs.status} = 'queued' then 'cancelled' else ${jobs.status} end`,
        reason: sql`coalesce(${whenQueued('cancelled_by_operator')}, ${jobs.reason})`,
        finishedAt: sql`case when ${jobs.status} = 'queued' then now() else ${jobs.finishedAt} end`,
      })
      .where(
        and(
          eq(jobs.id, jobId),
          inArray(jobs.status, ['queued', 'accepted', 'running', 'lost']),
          isNull(jobs.cancelRequestedAt),
        ),
      )
      .returning({ id: jobs.id, hostId: jobs.hostId, repositoryId: jobs.repositoryId })
    if (wished !== undefined) {
      await tellOfJobs(tx, [wished])
      return dispatch(tx, [wished.repositoryId], periods)
    }
    const [job] = await tx
      .select({ status: jobs.status, wishedAt: jobs.cancelRequestedAt })
      .from(jobs)
      .where(eq(jobs.id, jobId))
    if (job === undefined) throw new Refusal('job_not_found', 'There is no such job.')
    if (job.wishedAt === null && hasEnded(job.status))
      throw new Refusal('job_ended', `This job has already ended: ${job.status}.`)
  })
}

/** Also one that was made for its host at the moment that was removed. */
const isOverdue = sql`(jobs.expires_at < now()
  or exists (select 1 from hosts where hosts.id = jobs.host_id and hosts.removed_at is not null))`

/**
 * Ends queued jobs that nobody claimed in time. Where the agent may run a slot by itself it is also told to leave it.
 * Safe to run anywhere, at any time, several at once.
 */
export async function expireJobs(db: Db, periods: LinePeriods = timing): Promise<number> {
  return db.transaction(async tx => {
    const due = tx
      .select({ id: jobs.id })
      .from(jobs)
      .where(and(eq(jobs.status, 'queued'), isOverdue))
      .limit(500)
      .for('update', { skipLocked: true })
    const expired = await tx
      .update(jobs)
      .set({
        status: 'expired',
        reason: 'not_claimed',
        finishedAt: sql`now()`,
        cancelRequestedAt: sql`case when ${jobs.scheduleId} is not null then coalesce(${jobs.cancelRequestedAt}, now()) else ${jobs.cancelRequestedAt} end`,
      })
      .where(inArray(jobs.id, due))
      .returning({ id: jobs.id, hostId: jobs.hostId, repositoryId: jobs.repositoryId })
    await tellOfJobs(tx, expired)
    await dispatch(tx, [...new Set(expired.map(job => job.repositoryId))], periods)
    return expired.length
  })
}

/**
 * Gives up, provisionally, on jobs under way on hosts that have been silent for `silenceMs`: nothing stays running for ever.
 * Nothing is killed on the host; what it reports when it returns replaces this. Safe to run anywhere, several at once.
 */
export async function loseSilentJobs(db: Db, silenceMs: number): Promise<number> {
  return db.transaction(async tx => {
    const silent = tx
      .select({ id: jobs.id })
      .from(jobs)
      .innerJoin(hosts, eq(hosts.id, jobs.hostId))
      .where(
        and(
          // A slot the host runs by itself is under way there as soon as it is told of.
          or(
            inArray(jobs.status, ['accepted', 'running']),
            and(eq(jobs.status, 'queued'), eq(jobs.decidedBy, 'agent')),
          ),
          eq(hosts.online, false),
          sql`coalesce(${hosts.lastSeenAt}, ${hosts.enrolledAt}) < now() - ${silenceMs} * interval '1 millisecond'`,
        ),
      )
      .limit(500)
      .for('update', { of: jobs, skipLocked: true })
    const lost = await tx
      .update(jobs)
      .set({ status: 'lost', reason: 'host_silent' })
      .where(inArray(jobs.id, silent))
      .returning({ id: jobs.id, hostId: jobs.hostId })
    await tellOfJobs(tx, lost)
    return lost.length
  })
}
