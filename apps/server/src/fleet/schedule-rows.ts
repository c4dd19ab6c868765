// A schedule as a row of the table and as what operators and hosts exchange: the same thing, there and back.
import { complaintAboutTimetable, type Timetable } from '@restic-manager/contract/cron'
import type { Schedule, ScheduleDraft } from '@restic-manager/contract/schedule'
import type { schedules } from '../db/schema.ts'

export type ScheduleRow = typeof schedules.$inferSelect

/** The columns a draft comes to. */
export function columnsOf(draft: ScheduleDraft) {
  const { name, kind, repositoryIds, enabled, manual, cron, timeZone, ...definition } = draft
  return { name, kind, repositoryIds, enabled, manual, cron: cron ?? null, timeZone, definition }
}

/** What an operator decided, as it stands in the row. */
export function draftOf(
  row: Pick<
    ScheduleRow,
    'definition' | 'name' | 'kind' | 'repositoryIds' | 'enabled' | 'manual' | 'cron' | 'timeZone'
  >,
): ScheduleDraft {
  const { definition, name, kind, repositoryIds, enabled, manual, cron, timeZone } = row
  return {
    ...definition,
    name,
    kind,
    repositoryIds,
    enabled,
    manual,
    timeZone,
    ...(cron === null ? {} : { cron }),
  }
}

/** The schedule as its host gets it. */
export const scheduleOf = (row: Parameters<typeof draftOf>[0] & { id: string }): Schedule => ({
  id: row.id,
  ...draftOf(row),
})

type Planned = Pick<ScheduleRow, 'cron' | 'timeZone' | 'enabled' | 'manual' | 'deletedAt' | 'rejectedCode'>

/** What a host that has exactly this counts slots by; undefined when it counts none. */
export function timetableOf(row: Planned): Timetable | undefined {
  const { cron, timeZone, enabled, manual, deletedAt, rejectedCode } = row
  if (cron === null || !enabled || manual || deletedAt !== null || rejectedCode !== null) return undefined
  return { cron, timeZone }
}

/** What host and server count slots by until the next ack that changes it; undefined when they count none. */
export function countedTimetableOf(
  row: Pick<ScheduleRow, 'countedCron' | 'countedTimeZone'>,
): Timetable | undefined {
  const { countedCron: cron, countedTimeZone: timeZone } = row
  return cron === null || timeZone === null ? undefined : { cron, timeZone }
}

/** Answers that are kept: a list of thousands asks about the same few timetables, and each answer costs a walk to the next slot. */
const MOST_ANSWERS = 10_000
const answers = new Map<string, boolean>()

/** The timetable if this machine can count by it: its zone data may be older than that of the machine which let it in. */
export function countable(timetable: Timetable | undefined): Timetable | undefined {
  if (timetable === undefined) return undefined
  const key = `${timetable.timeZone} ${timetable.cron}`
  let isCountable = answers.get(key)
  if (isCountable === undefined) {
    isCountable = complaintAboutTimetable(timetable) === undefined
    if (answers.size >= MOST_ANSWERS) answers.clear()
    answers.set(key, isCountable)
  }
  return isCountable ? timetable : undefined
}
