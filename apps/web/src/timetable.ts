// Cron as people think of it: a few rhythms with a time of day, and everything else as the expression itself.

/** A rhythm that has fields of its own in the form. Times are of the schedule's zone; `day` is 0 for Sunday. */
export type Rhythm =
  | { every: 'hour'; minute: number }
  | { every: 'hours'; hours: number; minute: number }
  | { every: 'day'; hour: number; minute: number }
  | { every: 'workday'; hour: number; minute: number }
  | { every: 'week'; day: number; hour: number; minute: number }
  | { every: 'month'; date: number; hour: number; minute: number }

export const dayNames = [
  'Sunday',
  'Monday',
  'Tuesday',
  'Wednesday',
  'Thursday',
  'Friday',
  'Saturday',
] as const
/** Steps that divide a day evenly. */
export const hourSteps = [2, 3, 4, 6, 8, 12] as const

/** The five fields of a rhythm. */
export function cronOf(rhythm: Rhythm): string {
  switch (rhythm.every) {
    case 'hour':
      return `${rhythm.minute} * * * *`
    case 'hours':
      return `${rhythm.minute} */${rhythm.hours} * * *`
    case 'day':
      return `${rhythm.minute} ${rhythm.hour} * * *`
    case 'workday':
      return `${rhythm.minute} ${rhythm.hour} * * 1-5`
    case 'week':
      return `${rhythm.minute} ${rhythm.hour} * * ${rhythm.day}`
    case 'month':
      return `${rhythm.minute} ${rhythm.hour} ${rhythm.date} * *`
  }
}

const numberIn = (field: string | undefined, least: number, most: number): number | undefined => {
  if (field === undefined || !/^\d{1,2}$/.test(field)) return undefined
  const value = Number(field)
  return value >= least && value <= most ? value : undefined
}

/** The rhythm an expression stands for; undefined for one that has to be shown as it is. */
export function rhythmOf(cron: string): Rhythm | undefined {
  const fields = cron.trim().split(/\s+/)
  const [minutes, hours, date, month, day] = fields
  const minute = numberIn(minutes, 0, 59)
  if (fields.length !== 5 || minute === undefined || month !== '*') return undefined
  const hour = numberIn(hours, 0, 23)
  if (hour === undefined) {
    if (date !== '*' || day !== '*') return undefined
    if (hours === '*') return { every: 'hour', minute }
    const step = Number(/^\*\/(\d{1,2})$/.exec(hours ?? '')?.[1])
    return hourSteps.some(known => known === step) ? { every: 'hours', hours: step, minute } : undefined
  }
  if (date === '*' && day === '*') return { every: 'day', hour, minute }
  if (date === '*' && day === '1-5') return { every: 'workday', hour, minute }
  const weekday = numberIn(day, 0, 7)
  if (date === '*' && weekday !== undefined) return { every: 'week', day: weekday % 7, hour, minute }
  const monthDay = numberIn(date, 1, 28)
  if (day === '*' && monthDay !== undefined) return { every: 'month', date: monthDay, hour, minute }
  return undefined
}

const two = (value: number) => String(value).padStart(2, '0')

/** The time of day of a rhythm that has one: "02:30". */
export const clockOf = (rhythm: { hour: number; minute: number }): string =>
  `${two(rhythm.hour)}:${two(rhythm.minute)}`

/** A time of day as it is typed: "2:30", "0230". Undefined while it is none. */
export function timeOf(typed: string): { hour: number; minute: number } | undefined {
  const [, hours, minutes] = /^\s*(\d{1,2})[:.]?(\d{2})\s*$/.exec(typed) ?? []
  const [hour, minute] = [numberIn(hours, 0, 23), numberIn(minutes, 0, 59)]
  return hour === undefined || minute === undefined ? undefined : { hour, minute }
}

/** When an expression comes, in words that stand in a sentence: "every day at 02:30". */
export function timetableInWords(cron: string): string {
  const rhythm = rhythmOf(cron)
  switch (rhythm?.every) {
    case 'hour':
      return rhythm.minute === 0 ? 'every hour, on the hour' : `every hour at :${two(rhythm.minute)}`
    case 'hours':
      return `every ${rhythm.hours} hours at :${two(rhythm.minute)}`
    case 'day':
      return `every day at ${clockOf(rhythm)}`
    case 'workday':
      return `Monday to Friday at ${clockOf(rhythm)}`
    case 'week':
      return `every ${dayNames[rhythm.day]} at ${clockOf(rhythm)}`
    case 'month':
      return `on day ${rhythm.date} of every month at ${clockOf(rhythm)}`
    case undefined: {
      const step = /^\*(?:\/(\d{1,2}))?( \*){4}$/.exec(cron.trim().replaceAll(/\s+/g, ' '))
      if (step === null) return `at the times of ${cron.trim()}`
      return step[1] === undefined || step[1] === '1' ? 'every minute' : `every ${step[1]} minutes`
    }
  }
}

/** A night hour for a host, from its id: the same for it every time, so that a fleet does not start as one. */
export function nightTime(hostId: string): { hour: number; minute: number } {
  let sum = 0
  for (const letter of hostId) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 1_000_003
  // Not between 2 and 3: that hour is missing or comes twice where clocks change.
  const hours = [0, 1, 3, 4] as const
  return { hour: hours[sum % hours.length] ?? 3, minute: (Math.floor(sum / 4) % 12) * 5 }
}
