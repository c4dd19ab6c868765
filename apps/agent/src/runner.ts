// Which job may run now: at most one run per id, at most so many restic at once, in the order they were accepted.
import type { CommandRun, ElevatedAccess } from '@restic-manager/contract/command'
import type { JobHeader, JobKind } from '@restic-manager/contract/job'
import { jobReasons, reasonSentence, type JobReason } from '@restic-manager/contract/reasons'
import {
  endJob,
  markCancelled,
  markStarting,
  openJobs,
  readJob,
  reenterJob,
  type Ending,
  type Job,
} from './job-book.ts'
import { acceptJob, endUnseen, refuseJob, repeatAnswer, repeatOutcome } from './job-intake.ts'
import { carryOut, endAfterMistake, type Workshop } from './job-run.ts'
import { complaintAboutWork } from './policy-orders.ts'
import { settleInterrupted } from './recovery.ts'
import { isDiskFull } from './reserve.ts'
import { fitText } from './restic/fit-text.ts'
import { reasonAgainst } from './slot-book.ts'

const cancelled: Ending = {
  status: 'cancelled',
  reason: 'cancelled_by_operator',
  warnings: [],
  lastLogSeq: -1,
}
const accessForgotten: Ending = {
  status: 'failed',
  reason: 'access_forgotten' satisfies JobReason,
  error: jobReasons.access_forgotten,
  warnings: [],
  lastLogSeq: -1,
}

/** What could harm the snapshots or jobs of other hosts waits for the server's answer, however long that takes. */
const alwaysAsks: ReadonlySet<JobKind> = new Set(['prune', 'check', 'unlock'])
const needsAnswer = ({ kind, isElevated }: Job) => alwaysAsks.has(kind) || (kind === 'forget' && isElevated)

type Slot = { job: Job; cancel: AbortController; hurry: AbortController; done: Promise<void> }

export type Runner = {
  /** Takes an order whose configuration is applied. A second delivery gets the first answer again. */
  order(order: CommandRun): void
  /** Stops a job, or sees to it that it never starts. `header` is what the server said of one this host never saw. */
  cancel(jobId: string, header: JobHeader | undefined): void
  /** Looks again at what may run: an answer came, the configuration changed, a slot began jobs by itself. */
  consider(): void
  /** Stops what runs, in order, and starts nothing more. Resolves when no restic is left. */
  stop(): Promise<void>
  /** The jobs that run restic now. */
  running(): string[]
}

/**
 * Takes up where the last run of the agent left off, and runs what is ordered from now on. `onLook` is called before
 * anything is started: jobs that are too late end there.
 */
export function startRunner(shop: Workshop, onLook: () => void = () => {}): Runner {
  const { state, timing, log } = shop
  const { clock } = state
  /** What holds a slot: a job that runs, or one of the last agent's that is being settled. */
  const slots = new Map<string, Slot>()
  const alone = new Map<string, () => void>()
  /** Access that was lent for one run each. It is nowhere else on this host, and ends with the job. */
  const lent = new Map<string, ElevatedAccess>()
  /** Jobs that were waited with for long enough, by a clock that nobody sets. */
  const unanswered = new Set<string>()
  let callOffLook = () => {}
  const stopping = new AbortController()

  function mayStart(job: Job): boolean {
    if (job.proceed === true) return true
    return !needsAnswer(job) && (unanswered.has(job.id) || aloneIn(job) <= 0)
  }

  /** Without an answer a job starts this long after it was accepted. A clock set back cannot make that longer. */
  function aloneIn(job: Job): number {
    return Math.min(job.acceptedAt - clock.now(), 0) + timing.proceedAlone
  }

  /** A disk that takes no step of a job now may take it later: nothing is lost by looking again. */
  function consider(): void {
    if (stopping.signal.aborted) return
    try {
      look()
    } catch (error) {
      log.error({ err: error }, 'the records of this host cannot be written; no job starts until they can')
      callOffLook()
      callOffLook = clock.after(timing.diskRetry, consider)
    }
  }

  function look(): void {
    onLook()
    const { maxConcurrentRuns } = shop.config.current()
    const jobs = openJobs(state)
    /** A schedule's jobs go one at a time, in the order they were accepted. */
    const taken = new Set<string>()
    for (const job of jobs) {
      if (job.state === 'accepted' && !slots.has(job.id) && (job.cancelled || job.proceed === false)) {
        forget(job.id)
        endJob(state, job, cancelled)
        continue
      }
      const { scheduleId = job.id } = job.header
      const isNext = !taken.has(scheduleId)
      taken.add(scheduleId)
      if (slots.has(job.id) || job.state !== 'accepted') continue
      if (!mayStart(job)) wait(job)
      else if (isNext && slots.size < maxConcurrentRuns) start(job)
      else if (isNext) for (const slot of slots.values()) slot.hurry.abort()
    }
    for (const jobId of lent.keys()) if (!jobs.some(job => job.id === jobId)) lent.delete(jobId)
  }

  function wait(job: Job): void {
    if (alone.has(job.id) || needsAnswer(job)) return
    const callOff = clock.after(aloneIn(job), () => {
      alone.delete(job.id)
      unanswered.add(job.id)
      consider()
    })
    alone.set(job.id, callOff)
  }

  function forget(jobId: string): void {
    alone.get(jobId)?.()
    alone.delete(jobId)
    unanswered.delete(jobId)
    lent.delete(jobId)
  }

  function start(job: Job): void {
    const elevated = lent.get(job.id)
    if (job.isElevated && elevated === undefined) {
      endJob(state, job, accessForgotten) // never with the everyday access in its place
      return
    }
    if (!markStarting(state, job.id)) return
    forget(job.id)
    log.info({ jobId: job.id, kind: job.kind }, 'a job starts')
    occupy(job, (signal, hurry) =>
      carryOut(shop, job, { signal, hurry, stopping: stopping.signal, elevated }),
    )
  }

  function occupy(job: Job, work: (signal: AbortSignal, hurry: AbortSignal) => Promise<void>): void {
    const jobId = job.id
    const cancel = new AbortController()
    const hurry = new AbortController()
    const done = work(cancel.signal, hurry.signal)
      .catch(async error => {
        log.error({ jobId, err: error }, 'a job was left behind by a mistake of the agent')
        await endAfterMistake(shop, job, stopping.signal)
      })
      .then(() => {
        slots.delete(jobId)
        consider()
      })
    slots.set(jobId, { job, cancel, hurry, done })
  }

  for (const job of openJobs(state)) {
    if (job.state !== 'accepted') occupy(job, () => settleInterrupted(shop, job, stopping.signal))
    else if (job.isElevated) endJob(state, job, job.cancelled ? cancelled : accessForgotten)
  }
  state.onLost(() => {
    for (const { job } of slots.values()) reenterJob(state, job)
  })
  consider()

  function refuse(order: CommandRun, reason: string, why = reasonSentence(reason)): void {
    log.info({ jobId: order.jobId, reason, why }, 'an order is turned down')
    refuseJob(state, order, reason, fitText(why ?? 'This host has decided otherwise.', 2_000))
  }

  /** What cannot be accepted for want of room is turned down: that takes less, and there is room held back for it. */
  function accept(order: CommandRun): void {
    try {
      if (order.elevatedAccess !== undefined) lent.set(order.jobId, order.elevatedAccess)
      acceptJob(state, order)
    } catch (error) {
      lent.delete(order.jobId)
      if (!isDiskFull(error)) throw error
      refuse(order, 'disk_full')
    }
    consider()
  }

  return {
    order(order) {
      const { jobId, repositoryId, elevatedAccess } = order
      if (readJob(state, jobId) !== undefined) {
        log.info({ jobId }, 'an order came again; it gets the first answer')
        repeatAnswer(state, order)
        return
      }
      const against = reasonAgainst(state, order)
      if (against !== undefined) return refuse(order, against)
      const access = elevatedAccess ?? shop.config.repository(repositoryId)
      if (access === undefined) return refuse(order, 'configuration_missing')
      // Only its maintenance host prunes a repository, and each time with access of its own.
      if (order.kind === 'prune' && elevatedAccess === undefined) return refuse(order, 'no_maintenance_host')
      const complaint = complaintAboutWork(shop.policy, { spec: order.spec, access })
      if (complaint !== undefined) return refuse(order, 'refused_by_policy', complaint)
      accept(order)
    },
    cancel(jobId, header) {
      if (markCancelled(state, jobId)) {
        log.info({ jobId }, 'an operator cancels a job')
        slots.get(jobId)?.cancel.abort('cancelled_by_operator')
        consider()
      } else if (!endUnseen(state, jobId, header)) repeatOutcome(state, jobId, header)
    },
    consider,
    async stop() {
      stopping.abort('agent_stopping')
      callOffLook()
      for (const callOff of alone.values()) callOff()
      lent.clear()
      for (const slot of slots.values()) slot.cancel.abort('agent_stopping')
      await Promise.all([...slots.values()].map(slot => slot.done))
    },
    running: () => [...slots.keys()],
  }
}
