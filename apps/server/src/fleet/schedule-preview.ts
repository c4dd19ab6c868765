// The next slots of a timetable as a person reads them: wall clock, offset, and the days on which clocks change.
import { complaintAboutTimetable, nextSlots, type Timetable } from '@restic-manager/contract/cron'
import { Refusal } from '@restic-manager/contract/refusal'
import type { SchedulePreview } from '@restic-manager/contract/views'

/** The next slots after `now`, counted as hosts count them. Throws `schedule_invalid` for a timetable that cannot be counted by. */
export function previewSlots(
  { cron, timeZone, count }: Timetable & { count: number },
  now = new Date(),
): SchedulePreview {
  const complaint = complaintAboutTimetable({ cron, timeZone })
  if (complaint !== undefined) {
    const field = complaint.code === 'invalid_cron' ? 'cron' : 'timeZone'
    throw new Refusal('schedule_invalid', complaint.message, [{ ...complaint, field }])
  }
  let before = inZone(now, timeZone).offset
  const runs = nextSlots({ cron, timeZone }, now, count).map(at => {
    const local = inZone(at, timeZone)
    const shifted = local.offset !== before || local.hoursInDay !== 24
    before = local.offset
    const wallClock = `${local.toPlainDate().toString()} ${local.toPlainTime().toString({ smallestUnit: 'minute' })}`
    return { at, local: `${wallClock} ${local.offset}`, shifted }
  })
  return { runs }
}

const inZone = (at: Date, timeZone: string) =>
  Temporal.Instant.fromEpochMilliseconds(at.getTime()).toZonedDateTimeISO(timeZone)
