// How the clock of a zone stands at an instant, and what a day of changing clocks does to a run.
const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

/** Minutes a zone is ahead of UTC at an instant; undefined for a zone this browser does not know. */
export function offsetMinutes(at: Date, zone: string): number | undefined {
  try {
    const name = new Intl.DateTimeFormat('en-GB', { timeZone: zone, timeZoneName: 'longOffset' })
      .formatToParts(at)
      .find(part => part.type === 'timeZoneName')?.value
    const [, sign, hours, minutes = '0'] = /^GMT(?:([+-])(\d{2}):(\d{2}))?/.exec(name ?? '') ?? []
    return (sign === '-' ? -1 : 1) * (Number(hours ?? 0) * 60 + Number(minutes))
  } catch {
    return undefined
  }
}

const hoursOf = (minutes: number) =>
  minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`

/** What to say beside a run: that clocks change around it, or that its place in UTC moved since the run before. */
export function clockNote(
  run: { at: Date; shifted: boolean },
  before: { at: Date } | undefined,
  zone: string,
): { dst: boolean; words: string } | undefined {
  const around = (ms: number) => offsetMinutes(new Date(run.at.getTime() + ms), zone)
  if (run.shifted) {
    const [earlier, later] = [around(-DAY), around(DAY)]
    if (earlier === undefined || later === undefined || earlier === later)
      return { dst: true, words: 'clocks change on this day' }
    return { dst: true, words: later > earlier ? 'clocks go forward' : 'clocks go back' }
  }
  if (before === undefined) return undefined
  const moved = (around(0) ?? 0) - (offsetMinutes(before.at, zone) ?? 0)
  return moved === 0 ? undefined : { dst: false, words: `UTC moves by ${hoursOf(Math.abs(moved))}` }
}
