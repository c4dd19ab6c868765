// Slots around clock changes, two years in eight zones, against a calculation that shares no code with the counting.
import { expect, test } from 'vitest'
import { slotsBetween } from './cron.ts'

const zones = [
  ['Europe/Berlin', 'an hour, at night'],
  ['America/New_York', 'an hour, on other days than Europe'],
  ['America/Havana', 'a gap and an overlap at midnight'],
  ['Africa/Cairo', 'a gap at midnight, on a Friday'],
  ['Africa/Casablanca', 'an hour, in the month of Ramadan'],
  ['Australia/Lord_Howe', 'half an hour'],
  ['Antarctica/Troll', 'two hours'],
  ['Asia/Kolkata', 'never, and no whole hour from UTC'],
] as const

const from = Temporal.Instant.from('2026-01-01T00:00:00Z').epochMilliseconds
const through = Temporal.Instant.from('2028-01-01T00:00:00Z').epochMilliseconds
const day = 86_400_000
const minute = 60_000

/** A time in which the clock of a zone stands apart from UTC by the same amount. The end is not in it. */
type Span = { begin: number; end: number; offset: number }

function spansOf(timeZone: string): Span[] {
  const spans: Span[] = []
  let at = Temporal.Instant.fromEpochMilliseconds(from - 30 * day).toZonedDateTimeISO(timeZone)
  while (at.epochMilliseconds < through + 30 * day) {
    const next = at.getTimeZoneTransition('next')
    const end = next?.epochMilliseconds ?? Infinity
    spans.push({ begin: at.epochMilliseconds, end, offset: at.offsetNanoseconds / 1e6 })
    if (next === null) break
    at = next
  }
  return spans
}

type Plan = { days(date: Temporal.PlainDate): boolean; minutes: number[]; hours: number[] }

/** A fixed time of day comes once a day: in a gap when it ends, in an overlap the first time. All others go by the clock as it is. */
function expectedSlots(plan: Plan, spans: Span[]): number[] {
  const isFixed = plan.minutes.length === 1 && plan.hours.length === 1
  const slots = new Set<number>()
  for (let at = from - 2 * day; at < through + 2 * day; at += day) {
    const date = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO('UTC').toPlainDate()
    if (!plan.days(date)) continue
    for (const hour of plan.hours) {
      for (const minuteOfHour of plan.minutes) {
        const wall = at + hour * 3_600_000 + minuteOfHour * minute
        const times = spans
          .filter(({ begin, end, offset }) => wall - offset >= begin && wall - offset < end)
          .map(({ offset }) => wall - offset)
        if (!isFixed) for (const time of times) slots.add(time)
        else slots.add(times[0] ?? endOfGap(wall, spans))
      }
    }
  }
  return [...slots].filter(time => time > from && time <= through).toSorted((one, other) => one - other)
}

function endOfGap(wall: number, spans: Span[]): number {
  const after = spans.find(
    ({ begin, offset }, index) =>
      wall < begin + offset && wall >= begin + (spans[index - 1]?.offset ?? Infinity),
  )
  if (after === undefined) throw new Error(`${new Date(wall).toISOString()} is in no gap`)
  return after.begin
}

const range = (length: number) => Array.from({ length }, (_, value) => value)
const everyDay = () => true
const daily = (hour: number, minuteOfHour: number): [string, Plan] => [
  `${minuteOfHour} ${hour} * * *`,
  { days: everyDay, minutes: [minuteOfHour], hours: [hour] },
]

const plans: [string, Plan][] = [
  daily(0, 0),
  daily(0, 30),
  daily(1, 45),
  daily(2, 15),
  daily(2, 30),
  daily(3, 0),
  daily(23, 59),
  ['0 * * * *', { days: everyDay, minutes: [0], hours: range(24) }],
  ['30 */2 * * *', { days: everyDay, minutes: [30], hours: range(24).filter(hour => hour % 2 === 0) }],
  ['*/20 0-3 * * *', { days: everyDay, minutes: [0, 20, 40], hours: [0, 1, 2, 3] }],
  ['15 1,2,3 * * *', { days: everyDay, minutes: [15], hours: [1, 2, 3] }],
  ['30 2 * * SUN', { days: date => date.dayOfWeek === 7, minutes: [30], hours: [2] }],
  ['0 0 1 * *', { days: date => date.day === 1, minutes: [0], hours: [0] }],
  [
    '30 1 13 * 5',
    { days: date => date.day === 13 || date.dayOfWeek === 5, minutes: [30], hours: [1] }, // either, as in every cron
  ],
]

/** Plans that come many times a day are looked at around the changes, and for a month where there is none. */
function windowsOf(plan: Plan, spans: Span[]): [number, number][] {
  if (plan.minutes.length * plan.hours.length === 1) return [[from, through]]
  const changes = spans.map(({ begin }) => begin).filter(at => at > from && at < through)
  return changes.length === 0
    ? [[from, from + 30 * day]]
    : changes.map(change => [change - 3 * day, change + 3 * day])
}

test.each(zones)('in %s (%s) every slot of two years comes when it must', timeZone => {
  const spans = spansOf(timeZone)
  for (const [cron, plan] of plans) {
    const expected = expectedSlots(plan, spans)
    for (const [begin, end] of windowsOf(plan, spans)) {
      const slots = slotsBetween({ cron, timeZone }, new Date(begin), new Date(end)).map(slot =>
        slot.getTime(),
      )
      expect({ cron, slots }).toEqual({ cron, slots: expected.filter(at => at > begin && at <= end) })
    }
  }
})

test.each(zones)('in %s (%s) daily means once a day, on every day', timeZone => {
  for (const [cron] of plans.slice(0, 7)) {
    const dates = slotsBetween({ cron, timeZone }, new Date(from), new Date(through), 1e6).map(slot =>
      Temporal.Instant.fromEpochMilliseconds(slot.getTime()).toZonedDateTimeISO(timeZone).toPlainDate(),
    )
    for (const [index, date] of dates.slice(1).entries())
      expect(dates[index]?.until(date).total('days')).toBe(1)
  }
})

test('the zones change their clocks in these two years, but for the one that never does', () => {
  const changes = zones.map(
    ([zone]) => spansOf(zone).filter(({ begin }) => begin > from && begin < through).length,
  )
  expect(changes.slice(0, -1).every(count => count >= 2)).toBe(true)
  expect(changes.at(-1)).toBe(0)
})
