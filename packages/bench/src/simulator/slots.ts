// The plan of a simulated agent: slots counted as they come, and each seen to its one outcome, with the server or without it.
import { nextSlots, slotsBetween } from '@restic-manager/contract/cron'
import type { JobHeader } from '@restic-manager/contract/job'
import { toInstant } from '@restic-manager/contract/scalars'
import type { ScheduleAck, ScheduleFireAnswer, ScheduleSet } from '@restic-manager/contract/schedule'
import { jitterMs, slotJobId, toSlot } from '@restic-manager/contract/slots'
import { addFact, withdrawFact, type DiskPlan, type DiskSlot } from './disk.ts'
import type { SimulatedFact } from './record.ts'
import type { Life } from './life.ts'
import { isLive, readEntry, throughOf, timetableOf } from './plan.ts'
import type { SimulatedRunner } from './runner.ts'

export type SimulatedSlots = {
  /** Takes a set whose configuration is applied. Answers what is to be acked. */
  apply(set: ScheduleSet): ScheduleAck
  answer(fire: SimulatedFact, jobs: ScheduleFireAnswer['jobs']): void
  /** Why a job of a slot must not run any more although an order came; undefined: it may. */
  reasonAgainst(header: JobHeader): string | undefined
  look(): void
}

const keyOf = (scheduleId: string, slot: number) => `${scheduleId} ${slot}`

/** Takes up the plan as the last life left it. What is too late to begin ends here. */
export function startSlots(life: Life, runner: SimulatedRunner): SimulatedSlots {
  const { disk, timing } = life
  let callOff = () => {}
  let hasWoken = true

  const jitterOf = ({ schedule }: DiskPlan) => jitterMs(disk.hostId, schedule.id, schedule.jitterSeconds)
  const runsAlone = ({ schedule }: DiskPlan, repositoryId: string, state: DiskSlot['state']) =>
    schedule.kind === 'backup' ||
    (schedule.kind === 'forget' && state !== 'answered' && disk.config.mayDelete.get(repositoryId) === true)

  /** Arms what has come. What is too late for that did not run; the newest of it is caught up where it should be. */
  function count(plan: DiskPlan, now: number) {
    if (!isLive(plan)) return
    const { schedule } = plan
    const slots = slotsBetween(timetableOf(plan), new Date(plan.through), new Date(now)).map(at =>
      at.getTime(),
    )
    const last = slots.at(-1)
    if (last === undefined) return
    const missed: number[] = []
    for (const slot of slots) {
      if (disk.slots.has(keyOf(schedule.id, slot))) continue
      const fireAt = slot + jitterOf(plan)
      const isLate = now > fireAt + timing.late && !(schedule.catchUp === 'once' && slot === last)
      if (isLate) missed.push(slot)
      else open({ scheduleId: schedule.id, slot, fireAt })
    }
    const [from, to] = [missed[0], missed.at(-1)]
    if (from !== undefined && to !== undefined)
      tellNotRun(plan, { from, to, count: missed.length, outcome: 'missed', reason: 'host_was_off' })
    plan.through = last
  }

  function open(named: Pick<DiskSlot, 'scheduleId' | 'slot' | 'fireAt'>) {
    const more = { fire: undefined, answer: undefined, reason: undefined }
    const slot: DiskSlot = { ...named, state: 'armed', since: Date.now(), ...more }
    disk.slots.set(keyOf(slot.scheduleId, slot.slot), slot)
    disk.openSlots.add(slot)
  }

  type NotRun = { from: number; to: number; count: number; outcome: 'missed' | 'skipped'; reason: string }

  function tellNotRun({ schedule }: DiskPlan, { from, to, ...rest }: NotRun) {
    addFact(disk, 'schedule.notRun', {
      ...{
        scheduleId: schedule.id,
        scheduleVersion: disk.plan.version,
        repositoryIds: schedule.repositoryIds,
      },
      ...{ ...rest, from: toInstant(from), to: toInstant(to) },
    })
    life.onFact()
  }

  function move(slot: DiskSlot, state: DiskSlot['state']) {
    slot.state = state
    slot.since = Date.now()
    if (state === 'done') disk.openSlots.delete(slot)
  }

  function decide(slot: DiskSlot, plan: DiskPlan, now: number): number {
    const pending = pendingOf(slot, plan)
    if (pending.length === 0) {
      move(slot, 'done')
      return Infinity
    }
    return slot.state === 'armed' ? decideArmed(slot, plan, now) : decideFired(slot, plan, { pending, now })
  }

  /** The repositories whose job is not known here, and that the server did not turn away. */
  function pendingOf(slot: DiskSlot, { schedule }: DiskPlan): string[] {
    const wanted =
      slot.answer?.filter(({ decision }) => decision === 'queued' || decision === 'duplicate') ??
      schedule.repositoryIds.map(repositoryId => ({ repositoryId }))
    return wanted.map(({ repositoryId }) => repositoryId).filter(id => !disk.jobs.has(jobIdOf(slot, id)))
  }

  function decideArmed(slot: DiskSlot, plan: DiskPlan, now: number): number {
    const { stopped, schedule } = plan
    const why = stopped ?? (isLive(plan) ? undefined : 'schedule_paused')
    if (why !== undefined) return skip(slot, plan, why)
    if (now < slot.fireAt) return slot.fireAt - now
    if (busyBeside(slot) > (schedule.overlap === 'queue' ? 1 : 0)) return skip(slot, plan, 'overlap')
    const downSince = life.linkDownSince()
    const alone = schedule.repositoryIds.filter(id => runsAlone(plan, id, 'armed'))
    if (
      downSince !== undefined &&
      now - downSince >= timing.answer &&
      alone.length === schedule.repositoryIds.length
    )
      return runAlone(slot, plan, alone)
    slot.fire = addFact(disk, 'schedule.fire', { ...fireOf(slot), decidedBy: 'server' })
    move(slot, 'asked')
    life.onFact()
    life.mayDie()
    return timing.answer
  }

  function skip(slot: DiskSlot, plan: DiskPlan, reason: string): number {
    const only = { from: slot.slot, to: slot.slot, count: 1 }
    slot.reason = reason
    move(slot, 'done')
    tellNotRun(plan, { ...only, outcome: 'skipped', reason })
    return Infinity
  }

  function decideFired(
    slot: DiskSlot,
    plan: DiskPlan,
    { pending, now }: { pending: string[]; now: number },
  ): number {
    const alone = pending.filter(id => runsAlone(plan, id, slot.state))
    if (alone.length === 0) return Infinity
    if (hasWoken && isTooLate(slot, plan, now)) {
      for (const id of alone) runner.endUnseen(headerOf(slot, plan, id), 'host_was_off')
      return 0
    }
    const waited = now - slot.since
    const down = life.linkDownSince()
    const left =
      slot.state === 'asked'
        ? timing.answer - waited
        : Math.min(
            timing.orderWait - waited,
            down === undefined ? Infinity : timing.orderLinkDown - (now - down),
          )
    return left > 0 ? left : runAlone(slot, plan, alone)
  }

  const isTooLate = (slot: DiskSlot, plan: DiskPlan, now: number) =>
    now > slot.fireAt + timing.late && !(plan.schedule.catchUp === 'once' && plan.through === slot.slot)

  /** The jobs are taken on and the server is told with them: one commit. */
  function runAlone(slot: DiskSlot, plan: DiskPlan, repositoryIds: readonly string[]): number {
    const begun = repositoryIds.filter(id => runner.enterAlone(headerOf(slot, plan, id)))
    const jobs = begun.map(repositoryId => ({ jobId: jobIdOf(slot, repositoryId), repositoryId }))
    if (jobs.length > 0) addFact(disk, 'schedule.fire', { ...fireOf(slot), decidedBy: 'agent', jobs })
    if (pendingOf(slot, plan).length === 0) {
      if (slot.fire !== undefined) withdrawFact(disk, slot.fire)
      move(slot, 'done')
    }
    life.onFact()
    life.mayDie()
    runner.look()
    return 0
  }

  function busyBeside({ scheduleId, slot }: DiskSlot): number {
    const busy = new Set<string | number>()
    for (const jobId of disk.open) {
      const header = disk.jobs.get(jobId)?.header
      if (header?.scheduleId !== scheduleId) continue
      const isSlot = header.scheduledAt !== undefined && header.retryOf === undefined
      busy.add(isSlot ? Date.parse(header.scheduledAt ?? '') : jobId)
    }
    for (const other of disk.openSlots)
      if (other.scheduleId === scheduleId && other.state !== 'armed') busy.add(other.slot)
    busy.delete(slot)
    return busy.size
  }

  const jobIdOf = ({ scheduleId, slot }: DiskSlot, repositoryId: string) =>
    slotJobId(scheduleId, toInstant(slot), repositoryId)
  const headerOf = (slot: DiskSlot, { schedule }: DiskPlan, repositoryId: string): JobHeader => ({
    jobId: jobIdOf(slot, repositoryId),
    ...{ kind: schedule.kind, repositoryId, scheduleId: schedule.id, scheduledAt: toSlot(slot.slot) },
  })
  const fireOf = ({ scheduleId, slot }: DiskSlot) => ({
    ...{ scheduleId, scheduleVersion: disk.plan.version, scheduledAt: toSlot(slot) },
  })

  function look() {
    callOff()
    const now = Date.now()
    let waitMs = Infinity
    for (const plan of disk.plan.schedules.values()) {
      count(plan, now)
      if (isLive(plan)) {
        const next = nextSlots(timetableOf(plan), new Date(now), 1)[0]
        if (next !== undefined) waitMs = Math.min(waitMs, next.getTime() - now)
      }
    }
    for (const slot of disk.openSlots) {
      const plan = disk.plan.schedules.get(slot.scheduleId)
      if (plan !== undefined) waitMs = Math.min(waitMs, decide(slot, plan, now))
    }
    hasWoken = false
    if (waitMs < Infinity) callOff = life.after(Math.max(waitMs, 0), look)
  }

  return {
    apply(set) {
      const now = Date.now()
      // What came by the last set is counted by it.
      for (const plan of disk.plan.schedules.values()) count(plan, now)
      const rejected: NonNullable<ScheduleAck['rejected']> = []
      const gone = new Set(disk.plan.schedules.keys())
      for (const entry of set.schedules) {
        gone.delete(entry.id)
        const schedule = readEntry(entry)
        const before = disk.plan.schedules.get(entry.id)
        if (schedule === undefined) {
          rejected.push({ scheduleId: entry.id, code: 'unsupported', reason: 'This host cannot read it.' })
          if (before !== undefined) before.stopped = 'unsupported'
        } else
          disk.plan.schedules.set(entry.id, {
            schedule,
            stopped: undefined,
            through: throughOf(schedule, before, now),
          })
      }
      for (const id of gone) {
        const plan = disk.plan.schedules.get(id)
        if (plan !== undefined) plan.stopped = 'schedule_deleted'
      }
      const isSame = set.version === disk.plan.version
      disk.plan.version = set.version
      if (!isSame) disk.plan.appliedAt = toInstant(now)
      life.onChange()
      return {
        version: set.version,
        appliedAt: disk.plan.appliedAt,
        ...(rejected.length === 0 ? {} : { rejected }),
      }
    },
    answer(fire, jobs) {
      const { scheduleId, scheduledAt, decidedBy } = fire.message as unknown as {
        scheduleId: string
        scheduledAt: string
        decidedBy: string
      }
      const slot = disk.slots.get(keyOf(scheduleId, Date.parse(scheduledAt)))
      if (decidedBy !== 'server' || slot?.state !== 'asked') return
      slot.answer = jobs
      move(slot, 'answered')
      const queued = new Set(jobs.filter(job => job.decision === 'queued').map(job => job.repositoryId))
      for (const older of disk.openSlots)
        if (older.scheduleId === scheduleId && older.state === 'answered' && older.slot < slot.slot)
          older.answer = older.answer?.map(job =>
            queued.has(job.repositoryId) && !disk.jobs.has(job.jobId) ? supersede(job) : job,
          )
    },
    reasonAgainst({ jobId, scheduleId, scheduledAt, repositoryId }) {
      if (scheduleId === undefined || scheduledAt === undefined) return undefined
      if (jobId !== slotJobId(scheduleId, scheduledAt, repositoryId)) return undefined
      const slot = disk.slots.get(keyOf(scheduleId, Date.parse(scheduledAt)))
      if (slot?.reason !== undefined) return slot.reason
      const answer = slot?.answer?.find(each => each.repositoryId === repositoryId)
      return answer?.reason === 'superseded' ? 'superseded' : undefined
    },
    look,
  }
}

const supersede = ({ jobId, repositoryId }: ScheduleFireAnswer['jobs'][number]) =>
  ({ jobId, repositoryId, decision: 'skipped', reason: 'superseded' }) as const
