// How high each part of a day's column is: to scale, but what went wrong is never too small to see.
import type { BackupDay } from '@restic-manager/contract/days'

export type Part = { look: 'good' | 'warn' | 'missed' | 'bad'; y: number; height: number }

/** Nothing that went wrong is drawn lower than this, however large the fleet. */
const LEAST = 7
const GAP = 2

export const failedOf = ({ failed, lost }: BackupDay): number => failed + lost
/** What was due on a day; what was left out on purpose is not. */
export const dueOf = (day: BackupDay): number => day.succeeded + day.incomplete + day.missed + failedOf(day)

/** Parts of one column from the bottom up, in pixels below `height`. `most`: what the highest column stands for. */
export function columnOf(day: BackupDay, most: number, height: number): Part[] {
  const all = [
    { look: 'good', count: day.succeeded, least: 1 },
    { look: 'warn', count: day.incomplete, least: LEAST },
    { look: 'missed', count: day.missed, least: LEAST },
    { look: 'bad', count: failedOf(day), least: LEAST },
  ] as const
  const shown = all.filter(({ count }) => count > 0)
  // Room for what is small is kept free at the top of every column.
  const scale = (height - 3 * (LEAST + GAP)) / Math.max(1, most)
  let top = height
  return shown.map(({ look, count, least }) => {
    const part = Math.max(least, count * scale)
    top -= part
    const placed = { look, y: top, height: part }
    top -= GAP
    return placed
  })
}

/** The strip in a sentence, for who cannot see it. */
export function stripInWords(days: readonly BackupDay[]): string {
  const sum = (count: (day: BackupDay) => number) => days.reduce((total, day) => total + count(day), 0)
  const parts = [
    `${sum(day => day.succeeded)} succeeded`,
    ...[
      [sum(day => day.incomplete), 'incomplete'] as const,
      [sum(failedOf), 'failed'] as const,
      [sum(day => day.missed), 'missed'] as const,
      [sum(day => day.skipped), 'skipped'] as const,
    ].flatMap(([count, word]) => (count === 0 ? [] : [`${count} ${word}`])),
  ]
  return `${days.length} days: ${parts.join(', ')}`
}
