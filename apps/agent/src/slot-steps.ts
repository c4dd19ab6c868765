// What surrounds the decision about a slot: what is known of it is gathered before, and what follows is written down after.
import { nextSlots } from '@restic-manager/contract/cron'
import type { JobHeader } from '@restic-manager/contract/job'
import { toInstant } from '@restic-manager/contract/scalars'
import { type HostPause, isPaused, specOfSchedule } from '@restic-manager/contract/schedule'
import { slotJobId, toSlot } from '@restic-manager/contract/slots'
import type { AppliedConfig } from './applied-config.ts'
import { readJob } from './job-book.ts'
import { endUnseen, enterAlone } from './job-intake.ts'
import type { Plan } from './plan-book.ts'
import {
  askServer,
  firedSlots,
  recordNotRun,
  settleSlot,
  tellDecided,
  withdrawQuestion,
  type OpenSlot,
} from './slot-book.ts'
import { mayRunAlone, type OpenRepository, type SlotDecision, type SlotKnown } from './slot-decision.ts'
import type { State } from './state.ts'

type Gathered = {
  state: State
  config: AppliedConfig
  plan: Plan
  slot: OpenSlot
  waitedMs: number
  /** The runs of the schedule that have not ended. */
  runs: readonly (number | string)[]
  pause: HostPause | undefined
  now: number
}

/** Whether no later slot of the plan has come. */
export function isLatest({ timetable }: Plan, slot: number, now: number): boolean {
  if (timetable === undefined) return true
  const next = nextSlots(timetable, new Date(slot), 1)[0]?.getTime()
  return next === undefined || next > now
}

/** Everything the decision needs to know of one slot. */
export function knownOf({ state, config, plan, slot, waitedMs, runs, pause, now }: Gathered): SlotKnown {
  const { schedule, stopped } = plan
  const isDecidable = (repositoryId: string) =>
    mayRunAlone(schedule.kind, config.repository(repositoryId), slot.state)
  const open = openRepositories(state, plan, slot).map(repositoryId => ({
    repositoryId,
    mayRunAlone: isDecidable(repositoryId),
  }))
  // Nobody will ever answer: what this host cannot decide alone is over, the rest has waited enough.
  const isReleased = slot.state === 'asked' && slot.fireSeq === undefined
  return {
    state: slot.state,
    slot: slot.slot,
    fireAt: slot.fireAt,
    waitedMs: isReleased ? Infinity : waitedMs,
    // Counted only where it decides: fires may wait for a server that is away by the thousand.
    get isNewest() {
      return isLatest(plan, slot.slot, now)
    },
    open: isReleased ? open.filter(each => each.mayRunAlone) : open,
    stopped: stopped ?? (isPaused(pause, slot.slot) ? 'host_paused' : undefined),
    catchUp: schedule.catchUp,
    overlap: schedule.overlap,
    busy: slot.state === 'armed' ? countBusy(state, slot, runs, open) : 0,
  }
}

/** The repositories whose job is not known here yet, and that the server did not turn away. */
function openRepositories(state: State, { schedule }: Plan, slot: OpenSlot): string[] {
  const wanted =
    slot.answer?.flatMap(({ repositoryId, decision }) =>
      decision === 'queued' || decision === 'duplicate' ? repositoryId : [],
    ) ?? schedule.repositoryIds
  return wanted.filter(repositoryId => readJob(state, jobIdOf(slot, repositoryId)) === undefined)
}

/** A run of this schedule that is under way, or that was fired and will begin here whatever the server does. */
function countBusy(
  state: State,
  { scheduleId, slot }: OpenSlot,
  runs: readonly (number | string)[],
  open: readonly OpenRepository[],
): number {
  const busy = new Set(runs)
  if (open.some(each => each.mayRunAlone)) for (const other of firedSlots(state, scheduleId)) busy.add(other)
  busy.delete(slot)
  return busy.size
}

type Step = {
  state: State
  hostId: string
  plan: Plan
  slot: OpenSlot
  known: SlotKnown
  version: number
  configVersion: number
}

/** Writes down what was decided, in one commit. */
export function act(step: Step, decision: Exclude<SlotDecision, { do: 'wait' }>): void {
  const { state, slot, known } = step
  const name = { scheduleId: slot.scheduleId, slot: slot.slot, version: step.version }
  state.transaction(() => {
    switch (decision.do) {
      case 'settle':
        return settleSlot(state, name.scheduleId, name.slot)
      case 'ask':
        return askServer(state, name)
      case 'notRun': {
        const repositoryIds = known.open.map(each => each.repositoryId)
        const { outcome, reason } = decision
        return recordNotRun(state, { ...name, oldest: slot.slot, count: 1, repositoryIds, outcome, reason })
      }
      case 'giveUp':
        for (const repositoryId of decision.repositoryIds)
          endUnseen(state, jobIdOf(slot, repositoryId), headerOf(step, repositoryId), decision.reason)
        return closeIfDecided(step, decision.repositoryIds)
      case 'runAlone': {
        // Asked first, told last: the newest goes first, so the server hears what is decided before what is asked.
        if (decision.ask && slot.state === 'armed') askServer(state, name)
        const begun = decision.repositoryIds.filter(repositoryId => begin(step, repositoryId))
        const jobs = begun.map(repositoryId => ({ jobId: jobIdOf(slot, repositoryId), repositoryId }))
        if (jobs.length > 0) tellDecided(state, name, jobs)
        return closeIfDecided(step, decision.repositoryIds)
      }
    }
  })
}

function closeIfDecided({ state, slot, known }: Step, decided: readonly string[]): void {
  if (known.open.some(each => !decided.includes(each.repositoryId))) return
  withdrawQuestion(state, slot)
  settleSlot(state, slot.scheduleId, slot.slot)
}

function begin(step: Step, repositoryId: string): boolean {
  const spec = specOfSchedule(step.plan.schedule, { hostId: step.hostId })
  return enterAlone(step.state, headerOf(step, repositoryId), spec, step.configVersion)
}

const jobIdOf = ({ scheduleId, slot }: OpenSlot, repositoryId: string) =>
  slotJobId(scheduleId, toInstant(slot), repositoryId)

const headerOf = ({ plan, slot }: Step, repositoryId: string): JobHeader => ({
  jobId: jobIdOf(slot, repositoryId),
  kind: plan.schedule.kind,
  repositoryId,
  scheduleId: slot.scheduleId,
  scheduledAt: toSlot(slot.slot),
})
