// Telling the newest of something: one at a time, again until it is answered, and never an older one after it.
import { afterFailure } from './failure.ts'
import { pauseFor } from './pause.ts'

const firstPauseMs = 250
const longestPauseMs = 10_000

/**
 * Answers a function that tells `value` as soon as the one before has been answered. What is told in between is left out but for
 * the last. Gives up when `closed` aborts, or the answer is a refusal; `onRefused` hears of that.
 */
export function tellNewest<T extends object>(
  send: (value: T) => Promise<unknown>,
  { closed, onRefused }: { closed: AbortSignal; onRefused: (error: unknown) => void },
): (value: T) => void {
  let newest: T | undefined
  let isBusy = false

  async function work() {
    isBusy = true
    let pauseMs = firstPauseMs
    while (newest !== undefined && !closed.aborted) {
      const value: T = newest
      try {
        await send(value)
      } catch (error) {
        if (closed.aborted) break
        if (afterFailure(error) === 'again') {
          await pauseFor(pauseMs, closed)
          pauseMs = Math.min(pauseMs * 2, longestPauseMs)
          continue
        }
        onRefused(error)
      }
      pauseMs = firstPauseMs
      if (newest === value) newest = undefined
    }
    isBusy = false
  }

  return value => {
    newest = value
    if (!isBusy) void work()
  }
}
