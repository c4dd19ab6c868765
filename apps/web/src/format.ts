// Turns numbers and instants into the words the page shows. Pure: the clock and the zone are arguments.

const counts = new Intl.NumberFormat('en-GB')
const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** 412338 as "412,338". */
export const formatCount = (count: number): string => counts.format(count)

/** A count with its noun: "1 file", "2 files". */
export const countOf = (count: number, noun: string): string =>
  `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`

function unitFor(bytes: number): number {
  let unit = 0
  while (unit < units.length - 1 && bytes / 1024 ** unit >= 999.5) unit += 1
  return unit
}

/** A size with three digits at most: "41 MiB", "3.96 TiB". */
export function formatBytes(bytes: number): string {
  const unit = unitFor(bytes)
  const value = bytes / 1024 ** unit
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
  return `${Number(value.toFixed(digits))} ${units[unit]}`
}

/** How much of how much, in one unit: "148.2 of 238.6 GiB". */
export function formatBytesOf(done: number, total: number): string {
  const unit = unitFor(total)
  const digits = unit === 0 ? 0 : 1
  const inUnit = (bytes: number) => (bytes / 1024 ** unit).toFixed(digits)
  return `${inUnit(done)} of ${inUnit(total)} ${units[unit]}`
}

/** Bytes per second: "66 MiB/s". */
export function formatRate(bytesPerSecond: number): string {
  const unit = unitFor(bytesPerSecond)
  const value = bytesPerSecond / 1024 ** unit
  return `${unit === 0 || value >= 9.95 ? Math.round(value) : Number(value.toFixed(1))} ${units[unit]}/s`
}

/** The whole per cent below a share from 0 to 1, so that 100 means done. */
export const formatPercent = (share: number): string => `${Math.min(99, Math.floor(share * 100 + 1e-9))} %`

const twoDigits = (value: number) => String(value).padStart(2, '0')

/** A length of time to the second: "41 s", "18 m 04 s", "7 h 06 m", "2 d 2 h". */
export function formatDuration(ms: number): string {
  const whole = Math.max(0, ms)
  if (whole < 950) return whole === 0 ? '0 s' : `${Math.max(0.1, whole / SECOND).toFixed(1)} s`
  if (whole < MINUTE - 500) return `${Math.round(whole / SECOND)} s`
  const seconds = Math.round(whole / SECOND)
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} m ${twoDigits(seconds % 60)} s`
  if (seconds < 86_400)
    return `${Math.floor(seconds / 3_600)} h ${twoDigits(Math.floor((seconds % 3_600) / 60))} m`
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3_600)} h`
}

/** How old something is: minutes below a day, hours to two days, then days. */
export function formatAge(ms: number): string {
  if (ms < MINUTE) return '< 1 m'
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} m`
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h ${twoDigits(Math.floor((ms % HOUR) / MINUTE))} m`
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`
  if (ms < 14 * DAY) return `${Math.floor(ms / DAY)} d ${Math.floor((ms % DAY) / HOUR)} h`
  return `${Math.floor(ms / DAY)} d`
}

/** How long ago, as it stands in a sentence: "just now", "5 min ago". */
export function formatAgo(ms: number): string {
  if (ms < 10 * SECOND) return 'just now'
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s ago`
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min ago`
  return `${formatAge(ms)} ago`
}

/** Time left, rounded as a guess should be: "45 s", "23 min", "3 h 10 min". */
export function formatLeft(seconds: number): string {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

const formats = new Map<string, Intl.DateTimeFormat>()
function dateFormat(zone: string | undefined, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${zone} ${JSON.stringify(options)}`
  const known = formats.get(key)
  if (known !== undefined) return known
  const made = new Intl.DateTimeFormat('en-GB', {
    ...options,
    hourCycle: 'h23',
    ...(zone !== undefined && { timeZone: zone }),
  })
  formats.set(key, made)
  return made
}

/** The time of day: "09:42", or "09:42:07" with seconds. `zone` undefined: the browser's. */
export const formatClock = (at: Date | number, zone?: string, seconds = false): string =>
  dateFormat(zone, { hour: '2-digit', minute: '2-digit', ...(seconds && { second: '2-digit' }) }).format(at)

/** A log line's time of day, to the millisecond. */
export const formatLogClock = (at: number, zone?: string): string =>
  dateFormat(zone, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
  }).format(at)

/** The day an instant falls on in a zone, as a sortable key. */
export function dayKey(at: Date | number, zone?: string): string {
  const parts = Object.fromEntries(
    dateFormat(zone, { year: 'numeric', month: '2-digit', day: '2-digit' })
      .formatToParts(at)
      .map(part => [part.type, part.value]),
  )
  return `${parts['year']}-${parts['month']}-${parts['day']}`
}

/** A day as a heading: "today", "yesterday", "tomorrow", "Thu 22 Oct", with the year when it is another one. */
export function formatDay(at: Date | number, now: number, zone?: string): string {
  const key = dayKey(at, zone)
  if (key === dayKey(now, zone)) return 'today'
  if (key === dayKey(now - DAY, zone)) return 'yesterday'
  if (key === dayKey(now + DAY, zone)) return 'tomorrow'
  const sameYear = key.slice(0, 4) === dayKey(now, zone).slice(0, 4)
  return dateFormat(zone, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    ...(!sameYear && { year: 'numeric' }),
  })
    .format(at)
    .replace(',', '')
}

/** An instant, short enough for a cell: "today 06:20", "Thu 22 Oct 18:31". */
export const formatWhen = (at: Date | number, now: number, zone?: string): string =>
  `${formatDay(at, now, zone)} ${formatClock(at, zone)}`

/** An instant in full, for the hover: "Fri 23 Oct 2026, 08:50:02 GMT+2". */
export const formatExact = (at: Date | number, zone?: string): string =>
  dateFormat(zone, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    timeZoneName: 'short',
  }).format(at)

// eslint-disable-next-line no-control-regex
const ansi = /\u001B(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001B]*(?:\u0007|\u001B\\)?|[@-Z\\-_])/g
// eslint-disable-next-line no-control-regex
const unseen = /[\u0000-\u0008\u000B-\u001F\u007F-\u009F\u200B-\u200F\u202A-\u202E\u2060-\u2069\uFEFF]/g

/** Text from a host as something harmless to look at: no terminal colours, no control or direction characters. */
export const inertText = (raw: string): string => raw.replace(ansi, '').replace(unseen, '')
