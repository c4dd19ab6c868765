// Which slots of a schedule have come: the new ones are armed one by one, a long absence becomes a range without holding anything up.
import { nextSlots, slotsBetween, type Timetable } from '@restic-manager/contract/cron'
import type { HostPause } from '@restic-manager/contract/schedule'
import { fellInto } from './plan-pause.ts'
import { countThrough, type Plan } from './plan-book.ts'
import { armSlot, isCounted, recordNotRun } from './slot-book.ts'
import type { State } from './state.ts'

/** A plan whose slots are counted, and how far that got. */
export type CountedPlan = Plan & {
  timetable: Timetable
  jitterMs: number
  /** The first slot that is not counted; undefined: none will ever come. */
  next: number | undefined
  /** A long absence that is being counted. */
  walk: Walk | undefined
}

type Walk = { at: number; run: { from: number; to: number; count: number; isPaused: boolean } | undefined }

export type Counting = {
  state: State
  /** The version of the applied set. */
  version: number
  now: number
  lateMs: number
  trustedThrough: number
  /** Why slots that are too late did not run. */
  reason: string
  /** Slots in it were skipped, whatever else kept them from running. */
  pause: HostPause | undefined
}

/** Counting a slot costs up to a tenth of a millisecond; so many at once hold nothing up. */
const slotsAtOnce = 100
const hourMs = 3_600_000

/** The first slot of a plan after what is counted. */
export function firstUncounted({ timetable, through }: Pick<CountedPlan, 'timetable' | 'through'>) {
  return nextSlots(timetable, new Date(through), 1)[0]?.getTime()
}

/**
 * Counts the slots that have come. Those that can still begin in time are armed, and so is the newest of those that cannot,
 * if it is to be caught up; the others did not run. True: there are more of them, go on soon.
 */
export function countSlots(plan: CountedPlan, counting: Counting): boolean {
  const { state, now, lateMs } = counting
  const { schedule, timetable, jitterMs } = plan
  if (plan.next === undefined || plan.next > now) return false
  return state.transaction(() => {
    const lateThrough = now - lateMs - jitterMs - 1
    const inTime = slotsBetween(timetable, new Date(Math.max(plan.through, lateThrough)), new Date(now))
    for (const slot of inTime) armSlot(state, schedule.id, slot.getTime(), slot.getTime() + jitterMs)
    let newest = inTime.at(-1)?.getTime()
    if (plan.next !== undefined && plan.next <= lateThrough) {
      newest ??= newestSlot(timetable, plan.through, lateThrough)
      if (inTime.length === 0 && newest !== undefined && schedule.catchUp === 'once')
        armSlot(state, schedule.id, newest, newest + jitterMs)
      const ended = walkOn(plan, counting, lateThrough)
      if (ended !== 'all') return ended === 'more'
    }
    advance(plan, state, Math.max(newest ?? plan.through, plan.through))
    return false
  })
}

/**
 * Takes the next steps over slots that are too late. `held`: some lie beyond what the server's clock says, and are left
 * alone until it has come to them, or this host's clock is set right.
 */
function walkOn(plan: CountedPlan, counting: Counting, lateThrough: number): 'all' | 'more' | 'held' {
  const { state, trustedThrough } = counting
  const walk = (plan.walk ??= { at: plan.through, run: undefined })
  const end = Math.min(lateThrough, trustedThrough)
  const slots = slotsBetween(plan.timetable, new Date(walk.at), new Date(end), slotsAtOnce)
  for (const each of slots) {
    const slot = each.getTime()
    const isPaused = fellInto(counting.pause, slot)
    const isDone = isCounted(state, plan.schedule.id, slot)
    if (isDone || (walk.run !== undefined && walk.run.isPaused !== isPaused)) tellRun(plan, counting)
    if (!isDone) {
      const { from, count } = walk.run ?? { from: slot, count: 0 }
      walk.run = { from, to: slot, count: count + 1, isPaused }
    }
    walk.at = slot
  }
  if (slots.length === slotsAtOnce) return 'more'
  tellRun(plan, counting)
  const { at } = walk
  plan.walk = undefined
  if (end === lateThrough) return 'all'
  if (at > plan.through) advance(plan, state, at)
  return 'held'
}

function tellRun({ schedule, walk }: CountedPlan, { state, version, reason }: Counting): void {
  if (walk?.run === undefined) return
  const { from, to, count, isPaused } = walk.run
  const end = isPaused
    ? ({ outcome: 'skipped', reason: 'host_paused' } as const)
    : ({ outcome: 'missed', reason } as const)
  walk.run = undefined
  recordNotRun(state, {
    ...{ scheduleId: schedule.id, version, slot: to, oldest: from, count },
    ...{ repositoryIds: schedule.repositoryIds, ...end },
  })
}

function advance(plan: CountedPlan, state: State, through: number): void {
  countThrough(state, plan.schedule.id, through)
  plan.through = through
  plan.next = firstUncounted(plan)
}

/** The last slot after `after` and not later than `through`, looked for backwards in ever longer steps. */
function newestSlot(timetable: Timetable, after: number, through: number): number | undefined {
  for (let span = 6 * hourMs; ; span *= 4) {
    const from = Math.max(after, through - span)
    const newest = slotsBetween(timetable, new Date(from), new Date(through)).at(-1)
    if (newest !== undefined || from === after) return newest?.getTime()
  }
}
