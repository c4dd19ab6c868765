// Changes come in bursts. They are gathered, and the next re-read waits until the one before was answered.

/** Gathered this long before the first re-read. */
const GATHER = 200
/** The least time between two re-reads, however many changes come. */
const PAUSE = 1_000
/** A re-read that is not answered by then no longer holds back the next. */
const PATIENCE = 5_000

const after = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))

/** Calls `read` with what was added since the last time, at most about once a second (`pause`, in ms) and never twice at once. */
export function gatherReads<T>(read: (wanted: T[]) => Promise<unknown>, { pause = PAUSE } = {}) {
  const waiting = new Map<string, T>()
  let busy = false
  let stopped = false
  async function work() {
    busy = true
    await after(GATHER)
    while (waiting.size > 0 && !stopped) {
      const wanted = [...waiting.values()]
      waiting.clear()
      await Promise.race([Promise.all([read(wanted), after(pause)]), after(Math.max(PATIENCE, pause))])
    }
    busy = false
  }
  return {
    /** What is added twice under one key is read once. */
    add(key: string, wanted: T) {
      waiting.set(key, wanted)
      if (!busy) void work()
    },
    stop() {
      stopped = true
    },
  }
}
