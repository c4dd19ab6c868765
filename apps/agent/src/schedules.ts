// The loop that keeps the host's promises: counts the slots of its plan as they come, and sees each of them to its end.
import type { PolicySummary } from '@restic-manager/contract/agent'
import { jobReasons } from '@restic-manager/contract/reasons'
import type { ScheduleSet } from '@restic-manager/contract/schedule'
import { jitterMs } from '@restic-manager/contract/slots'
import type { Timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import type { AppliedConfig } from './applied-config.ts'
import { endJob, openJobs, openRunsOf, type Ending, type Job } from './job-book.ts'
import { appliedSet, applySet, noteReceived, readPlans, type AppliedSet, type Plan } from './plan-book.ts'
import { openPlanCopy } from './plan-copy.ts'
import { readPause } from './plan-pause.ts'
import type { ServerTime } from './server-time.ts'
import { fireAtOf, openSlots, type OpenSlot } from './slot-book.ts'
import { countSlots, firstUncounted, type CountedPlan } from './slot-count.ts'
import { decideSlot, isTooLate, type HostKnown } from './slot-decision.ts'
import { act, knownOf, isLatest } from './slot-steps.ts'
import { readMeta, writeMeta, type State } from './state.ts'
import { createJumpWatch } from './timers.ts'

export type PlanParts = {
  state: State
  hostId: string
  config: AppliedConfig
  policy(): PolicySummary
  serverTime: ServerTime
  /** Whether there is room for what this host would have to remember of further runs. */
  hasRoom(): boolean
  timing: Timing
  /** Jobs were begun or ended. */
  onJobs(): void
  log: Log
}

export type Schedules = {
  /** Begins to watch the time. */
  start(): void
  /**
   * Takes a set: applied as soon as the configuration it needs is, and what came by the last one is decided. A newer one
   * replaces one that waits. `onApplied` is called once it is on disk.
   */
  receive(set: ScheduleSet, onApplied: (applied: AppliedSet) => void): void
  /** Something happened that a slot may have waited for. */
  look(): void
  /** There is a link to the server, or it is gone. */
  linked(isUp: boolean): void
  /** Ends jobs of slots that are too late to begin, if the machine has slept since the last look. */
  noticeSleep(): void
  stop(): void
}

/** Whether slots were left uncounted for want of room. */
const heldMark = 'planHeld'
/** Between two steps of counting a long absence. */
const breathMs = 10

/** Takes up the plan as it is on disk. What was fired and did not start before the agent ended is late now, or goes on. */
export function openSchedules(parts: PlanParts): Schedules {
  const { state, hostId, timing, log } = parts
  const { clock } = state
  const jumped = createJumpWatch(clock)
  const jitterOf = ({ schedule }: Plan) => jitterMs(hostId, schedule.id, schedule.jitterSeconds)
  const copy = openPlanCopy(state, log)
  let plans = loadPlans()
  let pause = readPause(state)
  /** What is in memory may never have been committed, and records that were begun anew may want their plan. */
  let isStale = true
  let pending: { set: ScheduleSet; onApplied(applied: AppliedSet): void } | undefined
  let linkDownSince: number | undefined = clock.steady()
  let hasWoken = true
  /** Since when each open slot has been in its state. */
  let since = new Map<string, number>()
  let callOff = () => {}
  let isRunning = false

  /** Records that were begun anew go on with the slots that can still begin in time. Which of those had begun they know. */
  function putBack(): void {
    copy.putBack((plan, now) => now - timing.late - jitterOf(plan) - 1)
  }

  function loadPlans(): Map<string, Plan | CountedPlan> {
    return new Map(readPlans(state).map(plan => [plan.schedule.id, withCounting(plan)]))
  }

  function withCounting(plan: Plan): Plan | CountedPlan {
    const { timetable } = plan
    if (timetable === undefined) return plan
    const counted = { ...plan, timetable, jitterMs: jitterOf(plan) }
    return { ...counted, next: firstUncounted(counted), walk: undefined }
  }

  function look(): void {
    if (!isRunning) return
    callOff()
    let waitMs = timing.diskRetry
    try {
      waitMs = pass()
    } catch (error) {
      log.error({ err: error }, 'the plan of this host cannot be written; its slots are looked at again soon')
      isStale = true // what was not committed has not happened
    }
    callOff = clock.after(waitMs, look)
  }

  /** One look at everything. Answers when to look again. */
  function pass(): number {
    if (isStale) {
      putBack()
      plans = loadPlans()
      pause = readPause(state)
      copy.keep()
    }
    isStale = false
    if (hasSlept()) parts.onJobs()
    const countedTo = clock.now()
    if (isHeld()) {
      decideAll()
      return timing.tick
    }
    let isCounting = countAll(countedTo)
    let waitMs = decideAll()
    if (!isCounting && applyPending(countedTo)) {
      isCounting = countAll(clock.now())
      waitMs = decideAll()
    }
    hasWoken = false
    const now = clock.now()
    for (const plan of plans.values())
      if ('next' in plan && plan.next !== undefined && plan.next > now)
        waitMs = Math.min(waitMs, plan.next - now)
    return Math.min(waitMs, isCounting ? breathMs : timing.tick)
  }

  /** While the records have no room, slots are left uncounted, as if the host were off: nothing is lost by that. */
  function isHeld(): boolean {
    const was = readMeta(state, heldMark) === 'yes'
    const is = !parts.hasRoom()
    if (is && !was) {
      log.error(
        'the records of this host take all the room they may; it begins nothing by itself until they are told',
      )
      writeMeta(state, heldMark, 'yes')
    }
    return is
  }

  function countAll(now: number): boolean {
    const wasHeld = readMeta(state, heldMark) === 'yes'
    const counting = {
      reason: wasHeld ? 'spool_full' : 'host_was_off',
      pause,
      ...{ state, version: appliedSet(state).version, now, lateMs: timing.late },
      trustedThrough: parts.serverTime.trustedThrough(linkDownSince === undefined),
    }
    let isMore = false
    for (const plan of plans.values()) if ('next' in plan) isMore = countSlots(plan, counting) || isMore
    if (wasHeld && !isMore) {
      log.info('there is room for records again; the plan of this host goes on')
      writeMeta(state, heldMark, 'no')
    }
    return isMore
  }

  /** Each decision leads on to the next until every slot waits for something. */
  function decideAll(): number {
    for (;;) {
      const before = since
      since = new Map()
      let waitMs = Infinity
      let hasMoved = false
      for (const slot of openSlots(state)) {
        const key = `${slot.scheduleId} ${slot.slot} ${slot.state}`
        const from = before.get(key) ?? clock.steady()
        since.set(key, from)
        const wait = decide(slot, clock.steady() - from)
        if (wait === 'moved') hasMoved = true
        else waitMs = Math.min(waitMs, wait)
      }
      if (!hasMoved) return waitMs
    }
  }

  function decide(slot: OpenSlot, waitedMs: number): number | 'moved' {
    const plan = plans.get(slot.scheduleId)
    if (plan === undefined) return Infinity // an older agent took it; the server sends it again
    const { steady, now } = clock
    const host: HostKnown = {
      now: now(),
      linkDownMs: linkDownSince === undefined ? undefined : steady() - linkDownSince,
      hasWoken,
      trustedThrough: parts.serverTime.trustedThrough(linkDownSince === undefined),
      timing,
    }
    const runs = openRunsOf(state, slot.scheduleId)
    const known = knownOf({ state, config: parts.config, plan, slot, waitedMs, runs, pause, now: host.now })
    const decision = decideSlot(known, host)
    if (decision.do === 'wait') return decision.ms ?? Infinity
    log.info({ scheduleId: slot.scheduleId, slot: new Date(slot.slot), ...decision }, 'a slot is decided')
    const configVersion = parts.config.current().version
    act({ state, hostId, plan, slot, known, version: appliedSet(state).version, configVersion }, decision)
    if (decision.do === 'runAlone') parts.onJobs()
    return 'moved'
  }

  /** A slot that comes while a set is applied belongs to that set: the last one was counted up to `countedTo`. */
  function applyPending(countedTo: number): boolean {
    if (pending === undefined) return false
    const { set, onApplied } = pending
    noteReceived(state, set.version)
    if (set.configVersion > parts.config.current().version) return false
    const { applied, hasChanged } = applySet(state, set, parts.policy(), countedTo)
    pending = undefined
    copy.keep()
    if (hasChanged) plans = loadPlans()
    pause = set.pause
    const { version, rejected } = applied
    log.info({ version, schedules: set.schedules.length, rejected }, 'schedules applied')
    onApplied(applied)
    return true
  }

  /** What was accepted and did not begin has no better claim than a slot that came while the host was away. */
  function endLateJobs(mayEnd: (job: Job) => boolean): void {
    const now = clock.now()
    for (const job of openJobs(state)) {
      const { scheduleId = '', scheduledAt, retryOf } = job.header
      const plan = plans.get(scheduleId)
      if (job.state !== 'accepted' || scheduledAt === undefined || retryOf !== undefined || !mayEnd(job))
        continue
      if (plan === undefined) continue // of another host's schedule
      const slot = Date.parse(scheduledAt)
      const fireAt = fireAtOf(state, scheduleId, slot) ?? slot + jitterOf(plan)
      const { catchUp } = plan.schedule
      if (!isTooLate({ fireAt, catchUp, isNewest: isLatest(plan, slot, now) }, now, timing.late)) continue
      const error = jobReasons.host_was_off
      const ending: Ending = {
        status: 'cancelled',
        reason: 'host_was_off',
        error,
        warnings: [],
        lastLogSeq: -1,
      }
      if (endJob(state, job, ending)) log.info({ jobId: job.id }, 'a job came too late to begin')
    }
  }

  /** Whether the machine has slept since the last look. What is too late for that is ended before anything starts. */
  function hasSlept(): boolean {
    const jumpMs = Math.round(jumped())
    if (jumpMs < -timing.tick) log.warn({ jumpMs }, 'the clock of this host was set back')
    if (jumpMs <= timing.tick) return false
    log.info({ jumpMs }, 'the machine slept, or its clock was set')
    hasWoken = true
    endLateJobs(() => true)
    return true
  }

  state.onLost(() => {
    isStale = true
    putBack()
  })
  // Jobs with access that was lent are the runner's to end: the access is gone with the last agent.
  endLateJobs(job => !job.isElevated)
  return {
    start() {
      isRunning = true
      look()
    },
    receive(set, onApplied) {
      pending = { set, onApplied }
      look()
    },
    look,
    linked(isUp) {
      if (!isUp) linkDownSince ??= clock.steady()
      else linkDownSince = undefined
      look()
    },
    noticeSleep() {
      if (!isRunning || !hasSlept()) return
      callOff()
      callOff = clock.after(0, look)
    },
    stop() {
      isRunning = false
      callOff()
    },
  }
}
