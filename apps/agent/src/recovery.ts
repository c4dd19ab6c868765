// Jobs that were starting or running when the last run of the agent ended: what became of them, and their one ending.
import type { Warning } from '@restic-manager/contract/job'
import { jobReasons } from '@restic-manager/contract/reasons'
import { toInstant } from '@restic-manager/contract/scalars'
import { snapshotTags } from '@restic-manager/contract/snapshots'
import { sentenceOf } from './failure.ts'
import { runHook } from './hooks.ts'
import { endRun, readJob, readSpec, type Job } from './job-book.ts'
import {
  endingOf,
  hookDesk,
  mostWarnings,
  openJobLog,
  repositoryContext,
  untilWritten,
  type Workshop,
} from './job-run.ts'
import { runPostHook, type HookContext } from './jobs/backup-hooks.ts'
import type { Outcome, RepositoryContext } from './jobs/context.ts'
import { removeLeftLock } from './jobs/locks.ts'
import { collectWarnings } from './jobs/warnings.ts'
import { findSnapshotOf } from './jobs/snapshots.ts'
import { complaintAboutWork } from './policy-orders.ts'
import { resticWithTag, stillRuns, stopOrphan } from './processes.ts'
import { reportAfterJob } from './reports.ts'

/** restic's clock and ours are the same machine's; this covers what a snapshot's time is rounded by. */
const slackMs = 2_000

const cancelledOutcome: Outcome = {
  status: 'cancelled',
  reason: 'cancelled_by_operator',
  error: jobReasons.cancelled_by_operator,
  warnings: [],
}

/**
 * Ends a job the last agent left behind. It is never started again: first its restic is stopped if it lives on,
 * then the repository says whether the snapshot was made after all.
 */
export async function settleInterrupted(shop: Workshop, job: Job, stopping: AbortSignal): Promise<void> {
  const { state, log, timing, spool } = shop
  log.warn(
    { jobId: job.id, kind: job.kind, state: job.state },
    'a job was cut off by the end of the last agent',
  )
  for (const pid of orphansOf(job)) {
    const isGone = await stopOrphan(pid, timing.cancelGrace, stopping)
    if (stopping.aborted) return
    if (!isGone) log.error({ jobId: job.id, pid }, 'a restic of the last agent cannot be stopped')
  }

  const repository = allowedRepository(shop, job.header.repositoryId)
  const restic = await shop.restic()
  const context = repository && restic ? repositoryContext(shop, repository, restic, stopping) : undefined
  const found = await outcomeOf(job, context, log)
  // Stopped again before the repository answered: the next start asks once more.
  if (found === undefined) return
  const wasCancelled = found.status === 'failed' && readJob(state, job.id)?.cancelled === true
  const cutOff = wasCancelled ? cancelledOutcome : found
  const outcome = { ...cutOff, warnings: await runLastHook(shop, job, cutOff, stopping) }
  const lastLogSeq = spool.lastSeq(job.id)
  await untilWritten(shop, stopping, () =>
    endRun(state, job, endingOf(outcome, lastLogSeq, mostWarnings(state))),
  )
  log.info({ jobId: job.id, status: outcome.status }, 'a job that was cut off has ended')
  if (context === undefined) return
  if (job.pid !== undefined) await removeLeftLock(context, job.pid)
  if (!stopping.aborted) await reportAfterJob(shop, context, { kind: job.kind, outcome, hurry: stopping })
}

/** The policy of this host may have been tightened since the job began: then the repository is not asked. */
function allowedRepository({ config, policy }: Workshop, repositoryId: string) {
  const access = config.repository(repositoryId)
  return access && complaintAboutWork(policy, { spec: {}, access }) === undefined ? access : undefined
}

/**
 * What a program did before the backup is put right by the one after it, also when the agent died in between. Nobody
 * knows whether that one had begun: it may run twice.
 */
async function runLastHook(
  shop: Workshop,
  job: Job,
  outcome: Outcome,
  stopping: AbortSignal,
): Promise<Warning[]> {
  const spec = readSpec(shop.state, job.id)
  if (!('postHook' in spec) || stopping.aborted) return outcome.warnings
  const { repositoryId, scheduleId } = job.header
  const jobLog = openJobLog(shop, job.id)
  const desk = hookDesk(shop, shop.config.repository(repositoryId), jobLog)
  const warnings = collectWarnings()
  const context: HookContext = {
    hostId: shop.enrolment.hostId,
    jobId: job.id,
    ...(scheduleId === undefined ? {} : { scheduleId }),
    repository: { repositoryId },
    signal: stopping,
    timing: shop.timing,
    runHook: (hook, call) => runHook(desk, hook, call),
  }
  await runPostHook(context, spec, { outcome, warnings })
  jobLog.end()
  return [...outcome.warnings, ...warnings.all()]
}

/** The processes that may still work for a job: the one that was noted, and any that carries its tag. */
function orphansOf(job: Job): number[] {
  const noted = job.pid !== undefined && stillRuns(job.pid, job.pidStarted) ? [job.pid] : []
  const tagged = resticWithTag(snapshotTags.job(job.id))
  return [...new Set([...noted, ...tagged])]
}

async function outcomeOf(
  job: Job,
  context: RepositoryContext | undefined,
  log: Workshop['log'],
): Promise<Outcome | undefined> {
  const failed: Outcome = {
    status: 'failed',
    reason: 'agent_restarted',
    error: jobReasons.agent_restarted,
    warnings: [],
  }
  if (job.kind !== 'backup' || context === undefined) return failed
  try {
    const snapshot = await findSnapshotOf(context, job.id)
    if (snapshot === undefined || snapshot.time < toInstant((job.startedAt ?? 0) - slackMs)) return failed
    return {
      status: 'incomplete',
      reason: 'agent_restarted',
      error: 'The agent stopped while restic was running. The snapshot was saved all the same.',
      warnings: [],
      snapshotId: snapshot.id,
    }
  } catch (error) {
    if (context.signal.aborted) return undefined
    const why = sentenceOf(error)
    log.warn({ jobId: job.id, why }, 'the repository did not say whether the snapshot was made')
    return {
      ...failed,
      error: `${jobReasons.agent_restarted} Whether a snapshot was saved is not known: ${why}`.slice(
        0,
        2_000,
      ),
    }
  }
}
