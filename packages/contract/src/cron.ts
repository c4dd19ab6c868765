// When a schedule is due: five fields in a time zone, counted by the same code on both ends.
import { Cron } from 'croner'

/** A cron expression and the IANA zone its fields are read in. */
export type Timetable = { cron: string; timeZone: string }

/** The most slots one question answers. */
const MOST_SLOTS = 10_000
/** Where the shortest interval is measured from: both ends must come to the same answer on any day. */
const MEASURED_FROM = new Date('2026-01-01T00:00:00Z')
const MEASURED_SLOTS = 500

/** Nicknames and single dates, which the parser would take, are no five fields. */
const fiveFields = /^\s*[^\s@]+(\s+[^\s@]+){4}\s*$/

function parse({ cron, timeZone }: Timetable): Cron {
  return new Cron(cron.trim(), { mode: '5-part', timezone: timeZone, paused: true })
}

/** What is wrong with a timetable, as a stable code and a sentence; undefined when slots can be counted by it. */
export function complaintAboutTimetable(
  timetable: Timetable,
): { code: 'invalid_cron' | 'invalid_time_zone'; message: string } | undefined {
  const { cron, timeZone } = timetable
  if (!isTimeZone(timeZone))
    return {
      code: 'invalid_time_zone',
      message: `"${timeZone}" is no time zone. Accepted are IANA names, such as Europe/Berlin or UTC.`,
    }
  const example = 'It has five fields: minute, hour, day of month, month, day of week, such as 30 2 * * *.'
  if (!fiveFields.test(cron))
    return { code: 'invalid_cron', message: `"${cron}" is no cron expression. ${example}` }
  try {
    if (parse(timetable).nextRun() === null)
      return { code: 'invalid_cron', message: `"${cron}" never comes: there is no such day.` }
    return undefined
  } catch {
    return { code: 'invalid_cron', message: `"${cron}" cannot be read. ${example}` }
  }
}

/** Whether the zone data of this machine knows the name. Offsets such as +01:00 have no daylight saving and are refused. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z]/.test(name)) return false
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

/** The next slots strictly after an instant, oldest first. Throws for a timetable with a complaint. */
export function nextSlots(timetable: Timetable, after: Date, count: number): Date[] {
  return parse(timetable).nextRuns(Math.min(count, MOST_SLOTS), after)
}

/** The slots strictly after `after` and not later than `through`, oldest first, at most `most`. */
export function slotsBetween(timetable: Timetable, after: Date, through: Date, most = MOST_SLOTS): Date[] {
  const cron = parse(timetable)
  const slots: Date[] = []
  let last = after
  while (slots.length < most) {
    const next = cron.nextRun(last)
    if (next === null || next > through) break
    slots.push(next)
    last = next
  }
  return slots
}

/** The shortest time between two slots in milliseconds. Infinity when there is at most one. */
export function shortestInterval(timetable: Timetable): number {
  const slots = nextSlots(timetable, MEASURED_FROM, MEASURED_SLOTS)
  return slots.reduce((least, slot, index) => {
    const before = slots[index - 1]
    return before === undefined ? least : Math.min(least, slot.getTime() - before.getTime())
  }, Infinity)
}
