// What agents report of their jobs. Each report is committed with its ack; what an agent reported is final.
import { and, eq, not } from 'drizzle-orm'
import type { CommandAnswer, CommandResult } from '@restic-manager/contract/command'
import type { Ack, Fact } from '@restic-manager/contract/fact'
import type { JobFinished, JobStarted } from '@restic-manager/contract/job'
import { timing } from '@restic-manager/contract/timing'
import { notifyAll } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { hosts, jobs } from '../db/schema.ts'
import { jobsEnded } from '../metrics.ts'
import { dispatch, type LinePeriods } from './dispatch.ts'
import { followEnd } from './endings.ts'
import { fenced, ForeignJob, type HeldJob, holdJob, isNewestSession, type Sender, takeFact } from './facts.ts'
import { acceptJobs, endJobs, endReason, makeOwnJobs, mayBecome, notAhead, startJobs } from './job-moves.ts'
import { answersTo, tellTogether, type Told, toldBy } from './many-facts.ts'

const own = (jobId: string, sender: Sender) => and(eq(jobs.id, jobId), eq(jobs.hostId, sender.id))

const tellOfReport = (tx: Db, jobId: string, hostId: string) =>
  notifyAll(tx, { job: [jobId], host: [hostId] })

type Started = { sender: Sender; fact: JobStarted }

const ackOf = ({ seq }: Fact): Ack => ({ seq })

/** What one host tells, and how lines move after it. */
type Report<F extends Fact> = { sender: Sender; fact: F; periods: LinePeriods }

/**
 * The agent has taken a job on, or says why not. Answers whether to go ahead: not when it was cancelled or expired meanwhile.
 * Safe to deliver twice: the second answer is the first one.
 */
export const answerCommand = (
  db: Db,
  sender: Sender,
  fact: CommandResult,
  periods: LinePeriods = timing,
): Promise<CommandAnswer> => tellAnswer(db, { sender, fact, periods })

async function answerTogether(db: Db, reports: readonly Report<CommandResult>[]) {
  const told = reports.map(toldBy)
  const rows = await acceptJobs(db, told, { alone: false })
  return answersTo(told, rows, ({ seq }, { proceed }) => ({ seq, proceed }))
}

/** As `answerCommand`, one host in one transaction. */
export const answerCarefully = (
  db: Db,
  { sender, fact, periods }: Report<CommandResult>,
): Promise<CommandAnswer> =>
  db.transaction(async tx => {
    await takeFact(tx, sender, fact)
    const job = await holdJob(tx, sender, fact, { occurredAt: fact.occurredAt, ran: fact.accepted })
    if (!fact.accepted && job !== undefined) await endUnaccepted(tx, sender, { result: fact, job }, periods)
    const [accepted] = await acceptJobs(tx, [toldBy({ sender, fact })], { alone: true })
    return { seq: fact.seq, proceed: accepted?.proceed ?? false }
  })

const tellAnswer = tellTogether(answerTogether, answerCarefully)

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
      reason: endReason(status, result.reason ?? 'failed'),
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
export const startJob = (db: Db, sender: Sender, fact: JobStarted): Promise<Ack> =>
  tellStart(db, { sender, fact })

async function startTogether(db: Db, reports: readonly Started[]) {
  const told = reports.map(toldBy)
  const acks = answersTo(told, await startJobs(db, told, { alone: false }), ackOf)
  const others = told.filter((_, at) => acks[at] === undefined)
  if (others.length === 0) return acks
  const begun = await startOwnJobs(db, others)
  return told.map((fact, at) => acks[at] ?? begun.get(fact))
}

/** Begins those of these jobs that nobody here has heard of, and acks them. */
async function startOwnJobs(
  db: Db,
  told: readonly Told<JobStarted>[],
): Promise<Map<Told<JobStarted>, Ack | undefined>> {
  const { made, started } = await db.transaction(async tx => {
    const made = (await makeOwnJobs(tx, told)).flatMap(({ at }) => told[at] ?? [])
    return { made, started: made.length === 0 ? [] : await startJobs(tx, made, { alone: true }) }
  })
  const acks = answersTo(made, started, ackOf)
  return new Map(made.map((fact, at) => [fact, acks[at]]))
}

/** As `startJob`, one host in one transaction. */
export const startCarefully = (db: Db, { sender, fact }: Started): Promise<Ack> =>
  db.transaction(async tx => {
    await takeFact(tx, sender, fact)
    await holdJob(tx, sender, fact, { occurredAt: fact.startedAt })
    await startJobs(tx, [toldBy({ sender, fact })], { alone: true })
    return ackOf(fact)
  })

const tellStart = tellTogether(startTogether, startCarefully)

/** How a job ended, as the agent saw it; nothing changes it after. Safe to deliver twice. */
export const finishJob = (
  db: Db,
  sender: Sender,
  fact: JobFinished,
  periods: LinePeriods = timing,
): Promise<Ack> => tellEnd(db, { sender, fact, periods })

async function finishTogether(db: Db, reports: readonly Report<JobFinished>[]) {
  const told = reports.map(toldBy)
  const rows = await db.transaction(async tx => {
    const ended = await endJobs(tx, told, { alone: false })
    for (const [periods, of] of Map.groupBy(ended, ({ at }) => reports[at]?.periods)) {
      const moved = of.flatMap(({ repositoryId }) => repositoryId ?? [])
      await dispatch(tx, moved, periods)
    }
    return ended
  })
  return answersTo(told, rows, (fact, { hasEnded }) => {
    if (hasEnded) countEnd(fact)
    return ackOf(fact)
  })
}

/** As `finishJob`, one host in one transaction. */
export async function finishCarefully(db: Db, { sender, fact, periods }: Report<JobFinished>): Promise<Ack> {
  const hasEnded = await db.transaction(async tx => {
    await takeFact(tx, sender, fact, 'change')
    const ran = fact.status !== 'cancelled'
    await holdJob(tx, sender, fact, { occurredAt: fact.finishedAt, ran })
    const [ended] = await endJobs(tx, [toldBy({ sender, fact })], { alone: true })
    if (ended?.hasEnded === true) await followEnd(tx, fact.jobId, periods)
    return ended?.hasEnded
  })
  if (hasEnded) countEnd(fact)
  return ackOf(fact)
}

const tellEnd = tellTogether(finishTogether, finishCarefully)

const countEnd = ({ kind, status }: JobFinished) => jobsEnded.inc({ kind, status })

/** Why telemetry about a job changed nothing: throws when the session or the job is not the sender's, else the job is over or unknown. */
export async function explainNothing(db: Db, sender: Sender, jobId: string): Promise<void> {
  const newest = await db.select({ id: hosts.id }).from(hosts).where(isNewestSession(sender))
  if (newest.length === 0) throw fenced()
  const [job] = await db.select({ hostId: jobs.hostId }).from(jobs).where(eq(jobs.id, jobId))
  if (job !== undefined && job.hostId !== sender.id) throw new ForeignJob()
}
