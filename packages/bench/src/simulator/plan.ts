// The schedules of a simulated agent: which it takes, which count slots, and from when.
import { complaintAboutTimetable, type Timetable } from '@restic-manager/contract/cron'
import { Schedule, type ScheduleSet } from '@restic-manager/contract/schedule'
import type { DiskPlan } from './disk.ts'

/** Whether slots of it count. */
export const isLive = ({ stopped, schedule }: DiskPlan): boolean =>
  stopped === undefined && schedule.enabled && !schedule.manual && schedule.cron !== undefined

/** What its slots are counted by, if they are. */
export const timetableOf = ({ schedule }: DiskPlan): Timetable => ({
  cron: schedule.cron ?? '',
  timeZone: schedule.timeZone,
})

/** A schedule as it was sent; undefined: this host cannot keep it. */
export function readEntry(entry: ScheduleSet['schedules'][number]): Schedule | undefined {
  const { data } = Schedule.safeParse(entry)
  if (data === undefined || data.manual || data.cron === undefined) return data
  const { cron, timeZone } = data
  return complaintAboutTimetable({ cron, timeZone }) === undefined ? data : undefined
}

/** Up to when slots of a schedule count as seen once it is applied: counting begins anew where the timetable itself changed. */
export function throughOf(schedule: Schedule, before: DiskPlan | undefined, now: number): number {
  if (before === undefined || !isLive(before)) return now
  const isSame = before.schedule.cron === schedule.cron && before.schedule.timeZone === schedule.timeZone
  return isSame ? before.through : now
}
