// What a schedule says of a slot that comes due, by itself.
import { type HostPause, isPaused } from '@restic-manager/contract/schedule'
import type { Timing } from '@restic-manager/contract/timing'
import type { FireKnowledge } from './fire-decision.ts'
import type { ScheduleRow } from './schedule-rows.ts'

/** A slot that lies ahead of time is not believed: the host's clock may still be put right. */
export const isBelieved = (slot: string, skewTrusted: number): boolean =>
  Date.parse(slot) <= Date.now() + skewTrusted

export function planAt(
  slot: string,
  { row, pause, timing }: { row: ScheduleRow; pause: HostPause | undefined; timing: Timing },
): Pick<FireKnowledge, 'plan' | 'overlap' | 'newerFired'> {
  const newest = row.newestFireFor
  return {
    plan: planFor(row, pause, Date.parse(slot)),
    overlap: row.definition.overlap,
    // A fire from a clock that ran far ahead must not make every later one look old.
    newerFired:
      newest !== null && newest > new Date(slot) && isBelieved(newest.toISOString(), timing.skewTrusted),
  }
}

function planFor(row: ScheduleRow, pause: HostPause | undefined, slot: number): FireKnowledge['plan'] {
  if (row.deletedAt !== null) return 'deleted'
  if (!row.enabled || row.manual) return 'paused'
  return isPaused(pause, slot) ? 'host paused' : 'live'
}
