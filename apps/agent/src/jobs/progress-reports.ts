// Tells how far a job is: about once a second, and only what is new.
import type { Progress } from '@restic-manager/contract/job'
import { steady } from '../timers.ts'

export type ProgressReports = Disposable & {
  /** From here on `current` is looked at by the clock as well: a job in which nothing happens has something to say. */
  begin(): void
  /** Something has changed. */
  report(): void
}

/** Shorter than restic's own second, which is never quite ours: a word that came a little early would wait for the next tick, and the one after it longer. */
const EVERY_MS = 750
const TICK_MS = 250

/** Dispose of it when the work has ended. */
export function reportProgress(
  current: () => Progress,
  onProgress: (progress: Progress) => void,
): ProgressReports {
  let reportedAt = -Infinity
  let reported = ''
  let ticking: NodeJS.Timeout | undefined
  const report = () => {
    if (steady() - reportedAt < EVERY_MS) return
    const progress = current()
    const text = JSON.stringify(progress)
    if (text === reported) return
    reportedAt = steady()
    reported = text
    onProgress(progress)
  }
  return {
    begin() {
      ticking ??= setInterval(report, TICK_MS)
    },
    report,
    [Symbol.dispose]: () => clearInterval(ticking),
  }
}
