// Turns the stages of a prune or a check into one bar that never goes back.
import type { JobPhase, Progress } from '@restic-manager/contract/job'
import type { StageLine } from '../restic/stages.ts'
import { steady } from '../timers.ts'

/** What a stage counts, and where in the whole it lies: from and to as shares of 1. A line takes the first that matches. */
export type Stage = { what: RegExp; from: number; to: number }

export type StageProgress = {
  /** False when this says nothing new. */
  stage(line: StageLine): boolean
  moved(): void
  /** restic tries a request to the storage again. */
  retrying(): void
  cancelling(): void
  current(): Progress
}

const MOST_BEFORE_END = 0.99

/** The counts of a stage stand in the places of files: packs, indexes and snapshots are files of the repository. */
export function trackStages(stages: readonly Stage[], stalledAfterMs: number): StageProgress {
  let last: StageLine = { done: 0, of: undefined, what: '' }
  let percentDone = 0
  let movedAt = steady()
  let waiting = false
  let cancelled = false

  const phase = (): JobPhase => {
    if (cancelled) return 'cancelling'
    if (waiting) return 'waiting for backend'
    if (steady() - movedAt >= stalledAfterMs) return 'stalled'
    return percentDone < (stages[0]?.to ?? 0) ? 'scanning' : 'running'
  }
  const moved = () => {
    movedAt = steady()
    waiting = false
  }
  return {
    stage(line) {
      const isNews = line.done !== last.done || line.what !== last.what
      if (isNews) moved()
      last = line
      const stage = stages.find(({ what, to }) => what.test(line.what) && to > percentDone)
      if (stage === undefined || line.of === undefined || line.of === 0) return isNews
      const share = stage.from + (stage.to - stage.from) * Math.min(1, line.done / line.of)
      percentDone = Math.min(MOST_BEFORE_END, Math.max(percentDone, share))
      return isNews
    },
    moved,
    retrying: () => {
      waiting = true
    },
    cancelling: () => {
      cancelled = true
    },
    current: () => ({
      phase: phase(),
      percentDone,
      filesDone: last.done,
      totalFiles: Math.max(last.of ?? 0, last.done),
      bytesDone: 0,
      totalBytes: 0,
      throughputBps: 0,
    }),
  }
}
