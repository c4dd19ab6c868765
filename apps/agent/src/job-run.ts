// One run of one job: restic is started once, its words are kept, and the job is ended exactly once.
import type { AgentLimits } from '@restic-manager/contract/agent'
import type { ElevatedAccess } from '@restic-manager/contract/command'
import { MAX_WARNINGS, type Warning } from '@restic-manager/contract/job'
import { jobReasons } from '@restic-manager/contract/reasons'
import type { RepositoryAccess } from '@restic-manager/contract/repository'
import type { Timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import type { AppliedConfig } from './applied-config.ts'
import type { Enrolment } from './identity.ts'
import { runHook, type HookDesk } from './hooks.ts'
import { endRun, markRespawned, markRunning, readSpec, type Ending, type Job } from './job-book.ts'
import { startJobLog, type JobLog } from './job-log.ts'
import type { Outcome, RepositoryContext } from './jobs/context.ts'
import { runJob } from './jobs/run.ts'
import type { LogSpool } from './log-spool.ts'
import { bandwidthOf, complaintAboutWork } from './policy-orders.ts'
import type { HostPolicy } from './policy.ts'
import { processStart } from './processes.ts'
import { reportAfterJob } from './reports.ts'
import { pauseFor } from './pause.ts'
import { isDiskFull } from './reserve.ts'
import type { Folders } from './restic/environment.ts'
import { secretsOf } from './restic/environment.ts'
import { fitText } from './restic/fit-text.ts'
import type { Restic } from './restic/version.ts'
import { spoolRoom } from './spool-room.ts'
import type { State } from './state.ts'
import type { Telemetry } from './telemetry.ts'

/** Everything a run needs to know of the agent around it. */
export type Workshop = {
  state: State
  config: AppliedConfig
  spool: LogSpool
  telemetry: Telemetry
  enrolment: Enrolment
  folders: Folders
  policy: HostPolicy
  /** restic as it is on this host now; null when there is none. */
  restic(): Promise<Restic | null>
  limits(): AgentLimits
  timing: Timing
  log: Log
}

/** A fact of one mebibyte would close the socket. This leaves room for the rest of it. */
const maxWarningBytes = 512 * 1024
/** Enough to see what it is about. */
const fewWarnings = 10

const mistaken: Outcome = {
  status: 'failed',
  reason: 'failed',
  error: 'The agent made a mistake. Its own log on this host says which.',
  warnings: [],
}

/** `elevated`: access lent for this one run, in place of the everyday one. It is in memory only. */
export type RunOrders = {
  signal: AbortSignal
  hurry: AbortSignal
  stopping: AbortSignal
  elevated?: ElevatedAccess | undefined
}

/**
 * Runs a job that was marked as starting. `signal` stops it, with the reason `agent_stopping` when the agent stops.
 * Resolves when the job has ended and the repository was looked at; never rejects.
 */
export async function carryOut(
  shop: Workshop,
  job: Job,
  { signal, hurry, stopping, elevated }: RunOrders,
): Promise<void> {
  const { state, telemetry, log } = shop
  const jobLog = openJobLog(shop, job.id)
  let context: RepositoryContext | undefined
  const outcome = await runGuarded()
  telemetry.settle(job.id)
  const lastLogSeq = jobLog.end()
  await untilWritten(shop, stopping, () =>
    endRun(state, job, endingOf(outcome, lastLogSeq, mostWarnings(state))),
  )
  log.info(
    { jobId: job.id, kind: job.kind, status: outcome.status, reason: outcome.reason },
    'a job has ended',
  )
  if (context !== undefined && !stopping.aborted)
    await reportAfterJob(shop, { ...context, signal: stopping }, { kind: job.kind, outcome, hurry })

  async function runGuarded(): Promise<Outcome> {
    try {
      const repository = accessFor(shop, job.header.repositoryId, elevated)
      if (repository === undefined) return failure('configuration_missing')
      const restic = await shop.restic()
      if (restic === null) return failure('restic_missing')
      const spec = readSpec(state, job.id)
      const complaint = complaintAboutWork(shop.policy, { spec, access: repository })
      if (complaint !== undefined) return { ...failure('refused_by_policy'), error: complaint }
      context = repositoryContext(shop, repository, restic, signal, elevated !== undefined)
      return await runJob(
        job.kind,
        {
          ...context,
          jobId: job.id,
          ...(job.header.scheduleId === undefined ? {} : { scheduleId: job.header.scheduleId }),
          hostname: shop.enrolment.hostName,
          onStart: start =>
            note(() => markRunning(state, job, { ...start, pidStarted: processStart(start.pid) })),
          onRespawn: pid => note(() => markRespawned(state, job.id, pid, processStart(pid))),
          runHook: (hook, call) => runHook(hookDesk(shop, repository, jobLog), hook, call),
          onLine: ({ stream, payload }) => jobLog.line(stream, payload),
          onProgress: progress => telemetry.progress(job.id, progress),
        },
        spec,
      )
    } catch (error) {
      if (isDiskFull(error)) return failure('disk_full')
      // A bug of ours must not leave a job running for ever; its stack is in the agent's log.
      log.error({ jobId: job.id, err: error }, 'a job ended by a mistake of the agent')
      return mistaken
    }
  }

  /** restic runs already: what cannot be written of that is no reason to stop it. Its end says the rest. */
  function note(write: () => void): void {
    try {
      write()
    } catch (error) {
      log.error({ jobId: job.id, err: error }, 'that a job began cannot be written down; it goes on')
    }
  }
}

/**
 * Writes down what must not be lost, again and again while the disk is full. When the agent stops before that, its
 * next start finds the job as it was and ends it.
 */
export async function untilWritten(
  { timing, log }: Pick<Workshop, 'timing' | 'log'>,
  stopping: AbortSignal,
  write: () => void,
): Promise<void> {
  for (;;) {
    try {
      return write()
    } catch (error) {
      log.error({ err: error }, 'the end of a job cannot be written down; it is tried again')
      if (stopping.aborted) return
      await pauseFor(timing.diskRetry, stopping)
    }
  }
}

/** Ends a job whose run was left behind by a mistake of the agent; nothing if it has ended. Never rejects. */
export async function endAfterMistake(shop: Workshop, job: Job, stopping: AbortSignal): Promise<void> {
  await untilWritten(shop, stopping, () => endRun(shop.state, job, endingOf(mistaken, -1)))
}

/** What the hooks of a job run with. */
export function hookDesk(shop: Workshop, repository: RepositoryAccess | undefined, jobLog: JobLog): HookDesk {
  return {
    policy: shop.policy,
    hookShell: shop.config.current().hookShell,
    folder: shop.folders.temp,
    secrets: repository === undefined ? [] : secretsOf(repository),
    onLine: ({ stream, payload }) => jobLog.line(stream, payload),
  }
}

/** The log of a job, going on where an earlier run of the agent left it. */
export function openJobLog(shop: Workshop, jobId: string): JobLog {
  return startJobLog(
    () => ({
      blockBytes: shop.limits().logBlockBytes,
      flushMs: shop.limits().logFlushMs,
      bytesPerSecond: shop.limits().logBytesPerSecond,
    }),
    block => shop.spool.keep(jobId, block),
    shop.spool.lastSeq(jobId) + 1,
  )
}

/** The access a job works with. What was lent is all it needs: the maintenance host may have no everyday access. */
function accessFor(
  shop: Workshop,
  repositoryId: string,
  elevated: ElevatedAccess | undefined,
): RepositoryAccess | undefined {
  if (elevated === undefined) return shop.config.repository(repositoryId)
  return { repositoryId, ...elevated, mayDelete: true }
}

/** What it takes to ask a repository something on this host. */
export function repositoryContext(
  shop: Workshop,
  repository: RepositoryAccess,
  restic: Restic,
  signal: AbortSignal,
  isElevated = false,
): RepositoryContext {
  const { enrolment, folders, timing } = shop
  const bandwidth = bandwidthOf(shop.policy)
  return { hostId: enrolment.hostId, repository, isElevated, restic, folders, signal, timing, bandwidth }
}

/** An outcome without a run, in the words the contract has for it. */
export function failure(reason: keyof typeof jobReasons): Outcome {
  return { status: 'failed', reason, error: jobReasons[reason], warnings: [] }
}

/** Where the spool has grown large, or its disk is full, an end names only its first few warnings. */
export function mostWarnings(state: State): number {
  return state.reserve.isFull() || spoolRoom(state) !== 'plenty' ? fewWarnings : MAX_WARNINGS
}

/** The ending of a job as a fact that fits on the wire, with no more than `most` warnings. */
export function endingOf(outcome: Outcome, lastLogSeq: number, most = MAX_WARNINGS): Ending {
  const { status, exitCode, signal, reason, stats, error } = outcome
  return {
    status,
    warnings: fitWarnings(outcome.warnings, most),
    lastLogSeq,
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(signal === undefined ? {} : { signal }),
    ...(reason === undefined ? {} : { reason }),
    ...(stats === undefined ? {} : { stats: fitStats(stats) }),
    ...(error === undefined ? {} : { error: fitText(error, 2_000) }),
  }
}

/** Verbatim but for text that no database takes. */
function fitStats(stats: NonNullable<Outcome['stats']>): NonNullable<Outcome['stats']> {
  const fit = (_: string, value: unknown) => (typeof value === 'string' ? fitText(value, 2_000) : value)
  return JSON.parse(JSON.stringify(stats, fit)) as NonNullable<Outcome['stats']>
}

/** As many warnings as fit; the rest is one more that says how many they are. */
export function fitWarnings(warnings: readonly Warning[], most = MAX_WARNINGS): Warning[] {
  const kept: Warning[] = []
  let bytes = 0
  for (const warning of warnings) {
    bytes += Buffer.byteLength(JSON.stringify(warning)) + 1
    if (kept.length === most || bytes > maxWarningBytes) break
    kept.push(warning)
  }
  const left = warnings.length - kept.length
  if (left === 0) return kept
  const last = warnings.at(-1)
  // What had to be left out before already is part of the count.
  const before = last?.code === 'more_warnings' ? Number.parseInt(last.message, 10) || 1 : 1
  return [...kept, { code: 'more_warnings', message: `${left - 1 + before} more warnings` }]
}
