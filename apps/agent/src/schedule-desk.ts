// What the server plans for this host, as one connection brings it: parsed whole, applied, and acked.
import { ScheduleSet, type ScheduleAck } from '@restic-manager/contract/schedule'
import type { Log } from '@restic-manager/runtime/log'
import type { Schedules } from './schedules.ts'

/** Takes the sets of one connection; the latest received counts. `onAck` gets the ack once a set is applied. */
export function openScheduleDesk(
  { schedules, log }: { schedules: Schedules; log: Log },
  onAck: (ack: ScheduleAck) => void,
): (received: unknown) => void {
  return received => {
    const set = ScheduleSet.safeParse(received)
    if (!set.success) {
      log.error('something came that is no set of schedules; it is left alone')
      return
    }
    schedules.receive(set.data, ({ rejected, ...ack }) =>
      onAck({ ...ack, ...(rejected.length === 0 ? {} : { rejected }) }),
    )
  }
}
