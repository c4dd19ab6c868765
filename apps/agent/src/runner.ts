// Which job may run now: at most one run per id, at most so many restic at once, in the order they were accepted.
import type { CommandRun } from '@restic-manager/contract/command'
import type { JobHeader, JobKind } from '@restic-manager/contract/job'
import {
  acceptJob,
  cancelUnseen,
  endJob,
  markCancelled,
  markStarting,
  openJobs,
  readJob,
  refuseJob,
  repeatAnswer,
  repeatEnd,
  type Ending,
  type Job,
} from './job-book.ts'
import { carryOut, type Workshop } from './job-run.ts'
import { settleInterrupted } from './recovery.ts'

const cancelled: Ending = {
  status: 'cancelled',
  reason: 'cancelled_by_operator',
  warnings: [],
  lastLogSeq: -1,
}

/** What could harm the jobs of other hosts waits for the server's answer, however long that takes. */
const needsAnswer: ReadonlySet<JobKind> = new Set(['unlock'])

export type Runner = {
  /** Takes an order whose configuration is applied. A second delivery gets the first answer again. */
  order(order: CommandRun): void
  /** Stops a job, or sees to it that it never starts. `header` is what the server said of one this host never saw. */
  cancel(jobId: string, header: JobHeader | undefined): void
  /** The server's answer to the acceptance of a job is on disk. */
  answered(jobId: string): void
  /** Looks again at what may run: the configuration changed. */
  consider(): void
  /** Stops what runs, in order, and starts nothing more. Resolves when no restic is left. */
  stop(): Promise<void>
  /** The jobs that run restic now. */
  running(): string[]
}

/** Takes up where the last run of the agent left off, and runs what is ordered from now on. */
export function startRunner(shop: Workshop): Runner {
  const { state, timing, log } = shop
  /** What holds a slot: a job that runs, or one of the last agent's that is being settled. */
  const slots = new Map<string, { cancel: AbortController; hurry: AbortController; done: Promise<void> }>()
  const alone = new Map<string, NodeJS.Timeout>()
  /** Jobs that were waited with for long enough, by a clock that nobody sets. */
  const unanswered = new Set<string>()
  let lookAgain: NodeJS.Timeout | undefined
  const stopping = new AbortController()

  function mayStart(job: Job): boolean {
    if (job.proceed === true) return true
    return !needsAnswer.has(job.kind) && (unanswered.has(job.id) || aloneIn(job) <= 0)
  }

  /** Without an answer a job starts this long after it was accepted. A clock set back cannot make that longer. */
  function aloneIn(job: Job): number {
    return Math.min(job.acceptedAt - Date.now(), 0) + timing.proceedAlone
  }

  /** A disk that takes no step of a job now may take it later: nothing is lost by looking again. */
  function consider(): void {
    if (stopping.signal.aborted) return
    try {
      look()
    } catch (error) {
      log.error({ err: error }, 'the records of this host cannot be written; no job starts until they can')
      clearTimeout(lookAgain)
      lookAgain = setTimeout(consider, timing.diskRetry)
    }
  }

  function look(): void {
    const { maxConcurrentRuns } = shop.config.current()
    for (const job of openJobs(state)) {
      if (slots.has(job.id) || job.state !== 'accepted') continue
      if (job.cancelled || job.proceed === false) {
        forgetTimer(job.id)
        endJob(state, job, cancelled)
      } else if (!mayStart(job)) wait(job)
      else if (slots.size < maxConcurrentRuns) start(job)
      else for (const slot of slots.values()) slot.hurry.abort()
    }
  }

  function wait(job: Job): void {
    if (alone.has(job.id) || needsAnswer.has(job.kind)) return
    const timer = setTimeout(() => {
      alone.delete(job.id)
      unanswered.add(job.id)
      consider()
    }, aloneIn(job))
    alone.set(job.id, timer)
  }

  function forgetTimer(jobId: string): void {
    clearTimeout(alone.get(jobId))
    alone.delete(jobId)
    unanswered.delete(jobId)
  }

  function start(job: Job): void {
    forgetTimer(job.id)
    if (!markStarting(state, job.id)) return
    log.info({ jobId: job.id, kind: job.kind }, 'a job starts')
    occupy(job.id, (signal, hurry) => carryOut(shop, job, { signal, hurry, stopping: stopping.signal }))
  }

  function occupy(jobId: string, work: (signal: AbortSignal, hurry: AbortSignal) => Promise<void>): void {
    const cancel = new AbortController()
    const hurry = new AbortController()
    const done = work(cancel.signal, hurry.signal)
      .catch(error => log.error({ jobId, err: error }, 'a job was left behind by a mistake of the agent'))
      .then(() => {
        slots.delete(jobId)
        consider()
      })
    slots.set(jobId, { cancel, hurry, done })
  }

  for (const job of openJobs(state)) {
    if (job.state === 'accepted') continue
    occupy(job.id, () => settleInterrupted(shop, job, stopping.signal))
  }
  consider()

  return {
    order(order) {
      const known = readJob(state, order.jobId)
      if (known === undefined && shop.config.repository(order.repositoryId) === undefined) {
        refuseJob(state, order, 'configuration_missing', 'This host has no access data for the repository.')
      } else if (!acceptJob(state, order)) {
        log.info({ jobId: order.jobId }, 'an order came again; it gets the first answer')
        repeatAnswer(state, order.jobId)
      } else consider()
    },
    cancel(jobId, header) {
      if (markCancelled(state, jobId)) {
        log.info({ jobId }, 'an operator cancels a job')
        slots.get(jobId)?.cancel.abort('cancelled_by_operator')
        consider()
      } else if (!cancelUnseen(state, jobId, header)) repeatEnd(state, jobId)
    },
    answered: () => consider(),
    consider,
    async stop() {
      stopping.abort('agent_stopping')
      clearTimeout(lookAgain)
      for (const timer of alone.values()) clearTimeout(timer)
      for (const slot of slots.values()) slot.cancel.abort('agent_stopping')
      await Promise.all([...slots.values()].map(slot => slot.done))
    },
    running: () => [...slots.keys()],
  }
}
