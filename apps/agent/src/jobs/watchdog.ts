// Notices that nothing moves: a restic on a dead disk waits for ever and says nothing about it.
import { steady } from '../timers.ts'

/** Why a command was given up: nothing had moved for too long. */
export const STALLED = 'stalled'

export type Watchdog = Disposable & {
  /** Something moved. The first call starts the watch. */
  moved(): void
  /** Aborts with `STALLED` when nothing moved for so long. */
  readonly signal: AbortSignal
}

/** Counts by a clock that stands still while the host sleeps. */
export function watchForStall(patienceMs: number): Watchdog {
  const stalled = new AbortController()
  let movedAt = 0
  let timer: NodeJS.Timeout | undefined
  const look = () => {
    const left = movedAt + patienceMs - steady()
    if (left <= 0) stalled.abort(STALLED)
    else timer = setTimeout(look, left)
  }
  return {
    moved() {
      movedAt = steady()
      timer ??= setTimeout(look, patienceMs)
    },
    signal: stalled.signal,
    [Symbol.dispose]: () => clearTimeout(timer),
  }
}
