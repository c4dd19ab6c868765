// One mark for a day of backups: the worst thing that happened on it.
import type { BackupDay } from '@restic-manager/contract/days'

export type DayMark = 'bad' | 'lost' | 'warn' | 'missed' | 'good' | 'skipped' | 'none'

/** The worst of a day. What was left out on purpose only counts where nothing else was. */
export function markOf(day: BackupDay): DayMark {
  if (day.failed > 0) return 'bad'
  if (day.lost > 0) return 'lost'
  if (day.incomplete > 0) return 'warn'
  if (day.missed > 0) return 'missed'
  if (day.succeeded > 0) return 'good'
  return day.skipped > 0 ? 'skipped' : 'none'
}

const words = {
  good: 'succeeded',
  warn: 'incomplete',
  bad: 'failed',
  lost: 'lost',
  missed: 'missed',
  skipped: 'skipped',
  none: 'without a slot',
} as const satisfies Record<DayMark, string>

/** The strip in words: "14 days: 12 succeeded, 2 failed". */
export function daysInWords(days: readonly BackupDay[]): string {
  const marks = days.map(markOf)
  const parts = (Object.keys(words) as DayMark[]).flatMap(mark => {
    const count = marks.filter(other => other === mark).length
    return count === 0 ? [] : [`${count} ${words[mark]}`]
  })
  return `${days.length} days: ${parts.join(', ')}`
}

/** One day in words: "Tue 10 Nov: failed". */
export const dayInWords = (day: BackupDay): string =>
  `${new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short', timeZone: 'UTC' }).format(new Date(`${day.day}T00:00:00Z`))}: ${words[markOf(day)]}`
