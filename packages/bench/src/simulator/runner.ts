// The jobs of a simulated agent: taken on, begun at most once, stopped when told to, and each ended once.
import type { CommandRun } from '@restic-manager/contract/command'
import type { JobHeader, JobKind } from '@restic-manager/contract/job'
import { reasonSentence, type JobReason } from '@restic-manager/contract/reasons'
import { toInstant } from '@restic-manager/contract/scalars'
import { addFact, factAbout, repeatFact, type DiskJob } from './disk.ts'
import { between, type Life } from './life.ts'
import { cutBlock, drawCourse, endJob, type Course } from './work.ts'

export type SimulatedRunner = {
  order(order: CommandRun, against: string | undefined): void
  refuse(header: JobHeader, reason: string): void
  cancel(jobId: string, header: JobHeader | undefined): void
  /** Begins a slot's job without the server. False: it is known. */
  enterAlone(header: JobHeader): boolean
  /** A job that never starts: ended, and told so. */
  endUnseen(header: JobHeader, reason: JobReason): void
  answer(jobId: string, proceed: boolean): void
  look(): void
}

const alwaysAsks: ReadonlySet<JobKind> = new Set(['prune', 'check', 'unlock'])

/** Takes up what the last life left, and runs what comes. */
export function startRunner(life: Life): SimulatedRunner {
  const { disk, random, timing } = life
  const working = new Map<string, { stop(): void }>()
  const waitedFor = new Set<string>()

  const needsAnswer = ({ header, isElevated }: DiskJob) =>
    alwaysAsks.has(header.kind) || (header.kind === 'forget' && isElevated)
  const mayStart = (job: DiskJob) =>
    job.proceed === true || (!needsAnswer(job) && Date.now() - job.acceptedAt >= timing.proceedAlone)

  function enter(header: JobHeader, more: Partial<DiskJob>): DiskJob | undefined {
    if (disk.jobs.has(header.jobId)) return undefined
    const job: DiskJob = {
      ...{ header, state: 'accepted', starts: 0, proceed: undefined, cancelled: false, isElevated: false },
      ...{ acceptedAt: Date.now(), dryRun: false },
      ...more,
    }
    disk.jobs.set(header.jobId, job)
    if (job.state === 'accepted') disk.open.add(header.jobId)
    return job
  }

  function end(job: DiskJob, ending: Parameters<typeof endJob>[2]) {
    working.delete(job.header.jobId)
    if (!endJob(disk, job, ending, random)) return
    life.onFact()
    life.mayDie()
    life.onChange()
  }

  function look() {
    const taken = new Set<string>()
    for (const jobId of disk.open) {
      const job = disk.jobs.get(jobId)
      if (job === undefined) continue
      const line = job.header.scheduleId ?? jobId
      const isNext = !taken.has(line)
      taken.add(line)
      if (job.state !== 'accepted') continue
      if (job.cancelled || job.proceed === false)
        end(job, { status: 'cancelled', reason: 'cancelled_by_operator' })
      else if (!mayStart(job)) wait(job)
      else if (isNext && working.size < disk.config.maxConcurrentRuns) start(job)
    }
  }

  function wait(job: DiskJob) {
    if (waitedFor.has(job.header.jobId) || needsAnswer(job)) return
    waitedFor.add(job.header.jobId)
    life.after(job.acceptedAt + timing.proceedAlone - Date.now(), life.onChange)
  }

  function start(job: DiskJob) {
    const { jobId, kind } = job.header
    job.state = 'starting'
    job.starts += 1
    const course = drawCourse(random, life.behaviour(), kind)
    let callOff = life.after(between(random, 1, 60), () => run())
    let isStopped = false
    working.set(jobId, {
      stop() {
        if (isStopped) return
        isStopped = true
        callOff()
        const ending = { status: 'cancelled', reason: 'cancelled_by_operator', exitCode: 130 } as const
        callOff = life.after(between(random, 5, 200), () => end(job, ending))
      },
    })
    life.mayDie()

    function run() {
      job.state = 'running'
      const command = `restic ${kind} --simulated ${jobId}`
      const startedAt = toInstant(Date.now())
      addFact(disk, 'job.started', { ...job.header, startedAt, command, resticVersion: '0.18.0' })
      life.onFact()
      life.mayDie()
      step(0)
    }

    function step(done: number) {
      const { blocks, workMs } = course
      callOff = life.after(workMs / (blocks.length + 1), () => {
        const count = blocks[done]
        if (count === undefined) return finish(job, course)
        cutBlock(disk, jobId, count, random)
        life.onLog()
        tellProgress(job, (done + 1) / (blocks.length + 1))
        life.mayDie()
        step(done + 1)
      })
    }
  }

  function finish(job: DiskJob, { status, reason, exitCode }: Course) {
    const snapshotMade = job.header.kind === 'backup' && (status === 'succeeded' || status === 'incomplete')
    end(job, { status, exitCode, snapshotMade, ...(reason === undefined ? {} : { reason }) })
  }

  /** Newest wins and may be lost: it is sent, and nobody waits for it. */
  function tellProgress({ header }: DiskJob, share: number) {
    const total = 1_000_000
    const progress = {
      ...{
        jobId: header.jobId,
        phase: 'running',
        percentDone: Math.min(0.99, share),
        filesDone: Math.floor(share * 100),
      },
      ...{ totalFiles: 100, bytesDone: Math.floor(share * total), totalBytes: total, throughputBps: 1_000 },
    }
    life
      .link()
      ?.call('job.progress', progress, { parse: () => undefined })
      .catch(() => {})
  }

  /** What ran when the last life ended is never started again: perhaps its snapshot was made all the same. */
  function settleInterrupted(job: DiskJob) {
    working.set(job.header.jobId, { stop() {} })
    life.after(between(random, 10, 300), () => {
      const wasMade = job.header.kind === 'backup' && job.state === 'running' && random() < 0.3
      if (wasMade) end(job, { status: 'incomplete', reason: 'agent_restarted', snapshotMade: true })
      else if (job.cancelled) end(job, { status: 'cancelled', reason: 'cancelled_by_operator' })
      else end(job, { status: 'failed', reason: 'agent_restarted' })
    })
  }

  for (const jobId of disk.open) {
    const job = disk.jobs.get(jobId)
    if (job === undefined) continue
    if (job.state !== 'accepted') settleInterrupted(job)
    else if (job.isElevated) endJob(disk, job, { status: 'failed', reason: 'access_forgotten' }, random)
  }

  return {
    order(order, against) {
      const { elevatedAccess, spec, configVersion: _, ...named } = order
      const header = { ...named } satisfies JobHeader
      if (disk.jobs.has(order.jobId)) return repeat(order.jobId)
      if (against !== undefined) return this.refuse(header, against)
      if (elevatedAccess === undefined && !disk.config.mayDelete.has(order.repositoryId))
        return this.refuse(header, 'configuration_missing')
      const isElevated = elevatedAccess !== undefined
      const job = enter(header, { isElevated, dryRun: 'dryRun' in spec && spec.dryRun })
      if (job !== undefined) tellResult(job)
      life.onFact()
      life.mayDie()
      life.onChange()
    },
    refuse(header, reason) {
      const job = enter(header, { state: 'refused', refusal: reason })
      if (job === undefined) return repeat(header.jobId)
      tellResult(job)
      life.onFact()
    },
    cancel(jobId, header) {
      const job = disk.jobs.get(jobId)
      if (job === undefined) {
        if (header !== undefined) this.endUnseen(header, 'cancelled_by_operator')
      } else if (disk.open.has(jobId)) {
        job.cancelled = true
        working.get(jobId)?.stop()
        life.onChange()
      } else repeatEnd(jobId)
    },
    enterAlone: header => enter(header, { proceed: true }) !== undefined,
    endUnseen(header, reason) {
      const job = enter(header, { refusal: reason })
      if (job !== undefined) end(job, { status: 'cancelled', reason })
    },
    answer(jobId, proceed) {
      const job = disk.jobs.get(jobId)
      if (job?.state === 'accepted' && job.proceed !== true) job.proceed = proceed
    },
    look,
  }

  /** The first answer again. Of a slot that was decided here there was none yet. */
  function repeat(jobId: string) {
    const job = disk.jobs.get(jobId)
    const fact = factAbout(disk, 'command.result', jobId)
    if (fact !== undefined) repeatFact(disk, fact)
    else if (job !== undefined) tellResult(job)
    life.onFact()
  }

  function tellResult({ header, refusal }: DiskJob) {
    const why =
      refusal === undefined ? {} : { reason: refusal, error: reasonSentence(refusal) ?? 'It was refused.' }
    addFact(disk, 'command.result', { ...header, accepted: refusal === undefined, ...why })
  }

  function repeatEnd(jobId: string) {
    const fact = factAbout(disk, 'job.finished', jobId)
    if (fact !== undefined) repeatFact(disk, fact)
    life.onFact()
  }
}
