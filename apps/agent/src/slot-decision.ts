// What becomes of a slot that has come: a function of what is known and nothing else, so that it can be tried for every case.
import type { Id } from '@restic-manager/contract/ids'
import type { ScheduleKind } from '@restic-manager/contract/schedule'
import type { Timing } from '@restic-manager/contract/timing'

/** `armed`: it has come and was not fired. `asked`: the server was asked, on disk. `answered`: its orders are to come. */
export type SlotState = 'armed' | 'asked' | 'answered'

/** A repository of a slot on which nothing is decided: its job is not known here, and the server did not turn it away. */
export type OpenRepository = { repositoryId: Id; mayRunAlone: boolean }

/** What is known of one slot. Instants are Unix milliseconds of the host's clock, periods are of the steady one. */
export type SlotKnown = {
  state: SlotState
  slot: number
  fireAt: number
  /** How long it has been in this state. */
  waitedMs: number
  /** No later slot of its schedule has come. */
  isNewest: boolean
  open: readonly OpenRepository[]
  /** Why its schedule, or its whole host, does not fire any more; undefined: it does. */
  stopped: string | undefined
  catchUp: 'none' | 'once'
  overlap: 'skip' | 'queue'
  /** Other runs of its schedule that have not ended. */
  busy: number
}

/** What is known of the host. */
export type HostKnown = {
  now: number
  /** How long there has been no link; undefined: there is one. */
  linkDownMs: number | undefined
  /** The agent has just started, or the machine has just woken: what was fired and did not start may be late now. */
  hasWoken: boolean
  /** No slot later than this is told as missed: the server's time, where the clocks differ too much. */
  trustedThrough: number
  timing: Pick<Timing, 'answer' | 'late' | 'orderLinkDown' | 'orderWait'>
}

export type SlotDecision =
  /** Look again after that long at the latest; without a number when something happens. */
  | { do: 'wait'; ms?: number }
  /** Ask the server, on disk first. */
  | { do: 'ask' }
  /** Run it here without the server. `ask`: the others still need the server. */
  | { do: 'runAlone'; repositoryIds: Id[]; ask: boolean }
  | { do: 'notRun'; outcome: 'missed' | 'skipped'; reason: string }
  /** It was fired, and its time has gone by before it began: its jobs end without a run. */
  | { do: 'giveUp'; repositoryIds: Id[]; reason: 'host_was_off' }
  /** Nothing is open. */
  | { do: 'settle' }

/**
 * Whether a slot of this kind may run on this repository without an order. Of a forget only while the server has not answered: it
 * may hold back what it has taken over until nothing on the repository is in the way.
 */
export function mayRunAlone(
  kind: ScheduleKind,
  access: { mayDelete: boolean } | undefined,
  state: SlotState,
): boolean {
  if (kind === 'backup') return true
  return kind === 'forget' && access?.mayDelete === true && state !== 'answered'
}

/** Whether a slot that has not begun is too late to begin. */
export function isTooLate(
  slot: Pick<SlotKnown, 'fireAt' | 'isNewest' | 'catchUp'>,
  now: number,
  late: number,
): boolean {
  return now > slot.fireAt + late && !(slot.catchUp === 'once' && slot.isNewest)
}

/** Decides. Each decision but `wait` changes what is known, and is on disk before anything else happens. */
export function decideSlot(slot: SlotKnown, host: HostKnown): SlotDecision {
  if (slot.open.length === 0) return { do: 'settle' }
  return slot.state === 'armed' ? decideArmed(slot, host) : decideFired(slot, host)
}

function decideArmed(slot: SlotKnown, host: HostKnown): SlotDecision {
  const { now, timing } = host
  if (slot.stopped !== undefined) return { do: 'notRun', outcome: 'skipped', reason: slot.stopped }
  if (now < slot.fireAt) return { do: 'wait', ms: slot.fireAt - now }
  if (isTooLate(slot, now, timing.late))
    return slot.slot > host.trustedThrough
      ? { do: 'wait' }
      : { do: 'notRun', outcome: 'missed', reason: 'host_was_off' }
  if (slot.busy > (slot.overlap === 'queue' ? 1 : 0))
    return { do: 'notRun', outcome: 'skipped', reason: 'overlap' }
  // A link that was lost a moment ago may be back in another: the question is on disk either way.
  return host.linkDownMs !== undefined && host.linkDownMs >= timing.answer ? runAlone(slot) : { do: 'ask' }
}

function decideFired(slot: SlotKnown, host: HostKnown): SlotDecision {
  const alone = aloneOn(slot)
  if (alone.length === 0) return { do: 'wait' }
  if (host.hasWoken && isTooLate(slot, host.now, host.timing.late))
    return { do: 'giveUp', repositoryIds: alone, reason: 'host_was_off' }
  const left = slot.state === 'asked' ? host.timing.answer - slot.waitedMs : orderIn(slot, host)
  return left > 0 ? { do: 'wait', ms: left } : runAlone(slot)
}

/** How much longer the order of an answered slot may take. */
function orderIn({ waitedMs }: SlotKnown, { linkDownMs, timing }: HostKnown): number {
  const left = timing.orderWait - waitedMs
  return linkDownMs === undefined ? left : Math.min(left, timing.orderLinkDown - linkDownMs)
}

function runAlone(slot: SlotKnown): SlotDecision {
  const repositoryIds = aloneOn(slot)
  if (repositoryIds.length === 0) return { do: 'ask' }
  return { do: 'runAlone', repositoryIds, ask: repositoryIds.length < slot.open.length }
}

const aloneOn = (slot: SlotKnown) =>
  slot.open.filter(each => each.mayRunAlone).map(({ repositoryId }) => repositoryId)
