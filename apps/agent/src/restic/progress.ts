// Turns restic's status lines into the numbers of a live bar: never backwards, never 100 % before the summary.
import type { Progress } from '@restic-manager/contract/job'
import type { StatusMessage } from './messages.ts'

/** restic counts what it has read, not what it has stored: until the summary there is always something left. */
const MOST_BEFORE_SUMMARY = 0.99
/** How many seconds of the past the rate remembers. */
const RATE_MEMORY_S = 15
/** A time left is a guess; with less data than this it is a bad one. */
const ETA_AFTER_MS = 10_000
/** The totals have stood still this long: restic has counted everything. */
const COUNTED_AFTER_MS = 3_000

export type ProgressTracker = {
  status(message: StatusMessage): void
  /** restic tries a request to the storage again. */
  retrying(): void
  cancelling(): void
  done(): void
  current(): Progress
}

/** `now` is a monotonic clock in milliseconds. */
export function trackProgress(stalledAfterMs: number, now: () => number): ProgressTracker {
  const startedAt = now()
  let last: StatusMessage | undefined
  let lastAt = startedAt
  let movedAt = startedAt
  let totalsMovedAt = startedAt
  let counted = false
  let percent = 0
  let rate: number | undefined
  let waiting = false
  let cancelled = false
  let over = false

  const phase = (): Progress['phase'] => {
    if (cancelled) return 'cancelling'
    if (waiting) return 'waiting for backend'
    if (now() - movedAt >= stalledAfterMs) return 'stalled'
    return counted ? 'running' : 'scanning'
  }
  const eta = (): { etaSeconds?: number } => {
    // Below a byte a second nothing moves any more, and the guess would outgrow every number.
    if (over || last === undefined || !counted || rate === undefined || rate < 1) return {}
    if (lastAt - startedAt < ETA_AFTER_MS || waiting) return {}
    return { etaSeconds: Math.max(0, Math.round((last.totalBytes - last.bytesDone) / rate)) }
  }
  return {
    status(message) {
      const at = now()
      if (message.bytesDone !== (last?.bytesDone ?? 0) || message.filesDone !== (last?.filesDone ?? 0)) {
        movedAt = at
        waiting = false
      }
      if (message.totalBytes !== (last?.totalBytes ?? 0) || message.totalFiles !== (last?.totalFiles ?? 0)) {
        totalsMovedAt = at
      }
      const seconds = (at - lastAt) / 1000
      if (last !== undefined && seconds > 0) {
        const sample = Math.max(0, message.bytesDone - last.bytesDone) / seconds
        rate = rate === undefined ? sample : sample + (rate - sample) * Math.exp(-seconds / RATE_MEMORY_S)
      }
      counted ||= message.counted || (message.totalBytes > 0 && at - totalsMovedAt >= COUNTED_AFTER_MS)
      // While restic still counts, its share means nothing: the whole grows.
      if (counted) percent = Math.max(percent, Math.min(message.percentDone, MOST_BEFORE_SUMMARY))
      last = message
      lastAt = at
    },
    retrying: () => {
      waiting = true
    },
    cancelling: () => {
      cancelled = true
    },
    done: () => {
      over = true
    },
    current: () => ({
      phase: phase(),
      percentDone: over ? 1 : percent,
      filesDone: last?.filesDone ?? 0,
      totalFiles: Math.max(last?.totalFiles ?? 0, last?.filesDone ?? 0),
      bytesDone: last?.bytesDone ?? 0,
      totalBytes: Math.max(last?.totalBytes ?? 0, last?.bytesDone ?? 0),
      throughputBps: Math.min(Math.round(over ? 0 : (rate ?? 0)), Number.MAX_SAFE_INTEGER),
      ...eta(),
      ...(last === undefined || last.currentFiles.length === 0 ? {} : { currentFiles: last.currentFiles }),
    }),
  }
}
