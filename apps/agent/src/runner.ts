// Which job may run now: at most one run per id, at most so many restic at once, in the order they were accepted.
import type { CommandRun } from '@restic-manager/contract/command'
import type { JobHeader } from '@restic-manager/contract/job'
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
  const stopping = new AbortController()

  function mayStart(job: Job): boolean {
    return job.proceed === true || aloneAt(job) <= Date.now()
  }

  /** Without an answer a job starts this long after it was accepted. A clock set back cannot make that longer. */
  function aloneAt(job: Job): number {
    return Math.min(job.acceptedAt, Date.now()) + timing.proceedAlone
  }

  function consider(): void {
    if (stopping.signal.aborted) return
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
    if (alone.has(job.id)) return
    const timer = setTimeout(
      () => {
        alone.delete(job.id)
        consider()
      },
      aloneAt(job) - Date.now(),
    )
    alone.set(job.id, timer)
  }

  function forgetTimer(jobId: string): void {
    clearTimeout(alone.get(jobId))
    alone.delete(jobId)
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
      for (const timer of alone.values()) clearTimeout(timer)
      for (const slot of slots.values()) slot.cancel.abort('agent_stopping')
      await Promise.all([...slots.values()].map(slot => slot.done))
    },
    running: () => [...slots.keys()],
  }
}
