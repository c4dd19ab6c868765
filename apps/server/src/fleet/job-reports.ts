// What agents report of their jobs. Each report is committed with its ack; what an agent reported is final.
import { and, eq, inArray, isNull, not, or, type SQL, sql } from 'drizzle-orm'
import type { CommandAnswer, CommandResult } from '@restic-manager/contract/command'
import type { Ack } from '@restic-manager/contract/fact'
import {
  type JobFinished,
  type JobProgress,
  type JobStarted,
  type JobStatus,
  provisionalStatuses,
  statusesBefore,
} from '@restic-manager/contract/job'
import { timing } from '@restic-manager/contract/timing'
import { type Changed, notifyAll, telling } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { hosts, jobs } from '../db/schema.ts'
import { jobProgress } from '../db/schema-logs.ts'
import { jobsEnded } from '../metrics.ts'
import { dispatch, type LinePeriods } from './dispatch.ts'
import { followEnd } from './endings.ts'
import { fenced, ForeignJob, type HeldJob, holdJob, isNewestSession, type Sender, takeFact } from './facts.ts'

/** True where a report may make a job `to`: the table allows it, or what stands there is only our guess. Never after a reported end. */
const mayBecome = (to: JobStatus): SQL | undefined =>
  and(not(jobs.reported), inArray(jobs.status, [...new Set([...statusesBefore(to), ...provisionalStatuses])]))

/** Hello said that it runs, before the fact that says since when and how came. */
const isRunningUntold = and(not(jobs.reported), eq(jobs.status, 'running'), isNull(jobs.startedAt))

const own = (jobId: string, sender: Sender) => and(eq(jobs.id, jobId), eq(jobs.hostId, sender.id))

/** An instant of the agent's clock, now at the latest: a clock that runs ahead must not make a host look backed up for years. */
const notAhead = (instant: string) => sql`least(now(), ${instant}::timestamptz)`

/** A cancel of our own, for a slot that was superseded or expired, keeps our reason: the agent only knows that it was cancelled. */
const endReason = ({ status, reason = null }: { status: JobStatus; reason?: string | null | undefined }) =>
  status === 'cancelled'
    ? sql`case when ${jobs.status} in ('skipped', 'expired') and ${jobs.cancelRequestedBy} is null
        then ${jobs.reason} else ${reason} end`
    : reason

const tellOfReport = (tx: Db, jobId: string, hostId: string, more: Changed = {}) =>
  notifyAll(tx, { job: [jobId], host: [hostId], ...more })

/**
 * The agent has taken a job on, or says why not. Answers whether to go ahead: not when it was cancelled or expired meanwhile.
 * Safe to deliver twice: the second answer is the first one.
 */
export async function answerCommand(
  db: Db,
  sender: Sender,
  result: CommandResult,
  periods: LinePeriods = timing,
): Promise<CommandAnswer> {
  return db.transaction(async tx => {
    await takeFact(tx, sender, result)
    const job = await holdJob(tx, sender, result, {
      occurredAt: result.occurredAt,
      ran: result.accepted,
    })
    const proceed = job !== undefined && result.accepted && mayProceed(job)
    if (proceed) await acceptJob(tx, sender, result)
    else if (job !== undefined && !result.accepted) await endUnaccepted(tx, sender, { result, job }, periods)
    return { seq: result.seq, proceed }
  })
}

/** Once told to go ahead, always: a later cancel is an order of its own. */
function mayProceed(job: HeldJob): boolean {
  if (job.acceptedAt !== null) return true
  return job.cancelRequestedAt === null && !['cancelled', 'expired', 'skipped'].includes(job.status)
}

async function acceptJob(tx: Db, sender: Sender, result: CommandResult) {
  const accepted = await tx
    .update(jobs)
    .set({ status: 'accepted', acceptedAt: notAhead(result.occurredAt), reason: null })
    .where(
      and(own(result.jobId, sender), not(jobs.reported), inArray(jobs.status, statusesBefore('accepted'))),
    )
    .returning({ id: jobs.id })
  if (accepted.length > 0) await tellOfReport(tx, result.jobId, sender.id)
}

/** A slot the host has told as not run already: its order came too late, and nothing failed. */
const notRunReasons: ReadonlySet<string> = new Set([
  'overlap',
  'superseded',
  'host_was_off',
  'schedule_deleted',
  'schedule_paused',
])

/** A job the agent will not run has ended; no `job.finished` follows, unless it was a cancel that came first. */
async function endUnaccepted(
  tx: Db,
  sender: Sender,
  { result, job }: { result: CommandResult; job: HeldJob },
  periods: LinePeriods,
) {
  if (result.scheduledAt !== undefined && notRunReasons.has(result.reason ?? '')) {
    await skipUnaccepted(tx, sender, result, periods)
    return
  }
  const status =
    job.cancelRequestedAt !== null || result.reason === 'cancelled_by_operator' ? 'cancelled' : 'failed'
  const ended = await tx
    .update(jobs)
    .set({
      status,
      reported: true,
      reason: endReason({ status, reason: result.reason ?? 'failed' }),
      error: result.error ?? null,
      finishedAt: notAhead(result.occurredAt),
    })
    .where(and(own(result.jobId, sender), mayBecome(status)))
    .returning({ id: jobs.id })
  if (ended.length === 0) return
  await tellOfReport(tx, result.jobId, sender.id)
  await followEnd(tx, result.jobId, periods)
}

/** What the host's own fact says of the slot stands; only a job that still waits is skipped. */
async function skipUnaccepted(tx: Db, sender: Sender, result: CommandResult, periods: LinePeriods) {
  const skipped = await tx
    .update(jobs)
    .set({ status: 'skipped', reason: result.reason ?? null, finishedAt: notAhead(result.occurredAt) })
    .where(and(own(result.jobId, sender), not(jobs.reported), eq(jobs.status, 'queued')))
    .returning({ repositoryId: jobs.repositoryId })
  const [job] = skipped
  if (job === undefined) return
  await tellOfReport(tx, result.jobId, sender.id)
  await dispatch(tx, [job.repositoryId], periods)
}

/** restic is running. Safe to deliver twice. */
export async function startJob(db: Db, sender: Sender, started: JobStarted): Promise<Ack> {
  return db.transaction(async tx => {
    await takeFact(tx, sender, started)
    await holdJob(tx, sender, started, { occurredAt: started.startedAt })
    const moved = await tx
      .update(jobs)
      .set({
        status: 'running',
        acceptedAt: sql`coalesce(${jobs.acceptedAt}, ${notAhead(started.occurredAt)})`,
        startedAt: notAhead(started.startedAt),
        command: started.command,
        resticVersion: started.resticVersion,
        reason: null,
        finishedAt: null,
      })
      .where(and(own(started.jobId, sender), or(mayBecome('running'), isRunningUntold)))
      .returning({ id: jobs.id })
    if (moved.length > 0) await tellOfReport(tx, started.jobId, sender.id)
    return { seq: started.seq }
  })
}

/** How a job ended, as the agent saw it; nothing changes it after. Safe to deliver twice. */
export async function finishJob(
  db: Db,
  sender: Sender,
  finished: JobFinished,
  periods: LinePeriods = timing,
): Promise<Ack> {
  const isRestorePoint =
    finished.kind === 'backup' && (finished.status === 'succeeded' || finished.status === 'incomplete')
  const finishedAt = notAhead(finished.finishedAt)
  let hasEnded = false
  const ack = await db.transaction(async tx => {
    hasEnded = false
    await takeFact(tx, sender, finished, isRestorePoint ? 'change' : 'share')
    await holdJob(tx, sender, finished, {
      occurredAt: finished.finishedAt,
      ran: finished.status !== 'cancelled',
    })
    const moved = await tx
      .update(jobs)
      .set({
        status: finished.status,
        reported: true,
        exitCode: finished.exitCode ?? null,
        signal: finished.signal ?? null,
        reason: endReason(finished),
        error: finished.error ?? null,
        finishedAt,
        stats: finished.stats ?? null,
        warnings: finished.warnings,
        lastLogSeq: finished.lastLogSeq,
      })
      .where(and(own(finished.jobId, sender), mayBecome(finished.status)))
      .returning({ repositoryId: jobs.repositoryId, kind: jobs.kind })
    const [job] = moved
    if (job === undefined) return { seq: finished.seq }
    hasEnded = true
    const isSaved = isRestorePoint && job.kind === 'backup'
    if (isSaved)
      await tx
        .update(hosts)
        .set({
          lastGoodBackupAt: sql`greatest(${hosts.lastGoodBackupAt}, ${finishedAt})`,
        })
        .where(eq(hosts.id, sender.id))
    await tx.delete(jobProgress).where(eq(jobProgress.jobId, finished.jobId))
    await tellOfReport(tx, finished.jobId, sender.id, { repository: isSaved ? [job.repositoryId] : [] })
    await followEnd(tx, finished.jobId, periods)
    return { seq: finished.seq }
  })
  if (hasEnded) jobsEnded.inc({ kind: finished.kind, status: finished.status })
  return ack
}

/** Where a running job stands: newest wins, lossy, kept only while the job is open. */
export async function keepProgress(
  db: Db,
  sender: Sender,
  { jobId, ...progress }: JobProgress,
): Promise<void> {
  const openJob = db
    .select({
      jobId: jobs.id,
      hostId: jobs.hostId,
      progress: sql`${JSON.stringify(progress)}::jsonb`.as('progress'),
      updatedAt: sql`now()`.as('updated_at'),
    })
    .from(jobs)
    .innerJoin(hosts, eq(hosts.id, jobs.hostId))
    .where(and(own(jobId, sender), not(jobs.reported), isNewestSession(sender)))
    // Waits for an end that is just being recorded, and then sees it: nothing is put back behind it.
    .for('share', { of: jobs })
  const kept = await db
    .insert(jobProgress)
    .select(openJob)
    .onConflictDoUpdate({
      target: jobProgress.jobId,
      set: { progress: sql`excluded.progress`, updatedAt: sql`excluded.updated_at` },
    })
    .returning({ told: telling('progress', jobProgress.jobId) })
  if (kept.length > 0) return
  await explainNothing(db, sender, jobId)
}

/** Why telemetry about a job changed nothing: throws when the session or the job is not the sender's, else the job is over or unknown. */
export async function explainNothing(db: Db, sender: Sender, jobId: string): Promise<void> {
  const newest = await db.select({ id: hosts.id }).from(hosts).where(isNewestSession(sender))
  if (newest.length === 0) throw fenced()
  const [job] = await db.select({ hostId: jobs.hostId }).from(jobs).where(eq(jobs.id, jobId))
  if (job !== undefined && job.hostId !== sender.id) throw new ForeignJob()
}
