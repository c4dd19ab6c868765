// The limit a schedule sets on its jobs.

/** Why a job was stopped: it took longer than its limit. */
export const TIMEOUT = 'timeout'

const MINUTE_MS = 60_000
/** Timers go no further than that. A limit may be 30 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Aborts with `TIMEOUT` after so many minutes; never when there is no limit. Dispose of it when the job has ended. */
export function startTimeLimit(minutes: number | undefined): Disposable & { readonly signal: AbortSignal } {
  const limit = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const wait = (leftMs: number) => {
    const step = Math.min(leftMs, LONGEST_TIMER_MS)
    timer = setTimeout(() => (leftMs > step ? wait(leftMs - step) : limit.abort(TIMEOUT)), step)
  }
  if (minutes !== undefined) wait(minutes * MINUTE_MS)
  return { signal: limit.signal, [Symbol.dispose]: () => clearTimeout(timer) }
}
