// One clock for thousands: timers in buckets of a few milliseconds, driven by a single timer of the runtime.

const TICK_MS = 10

export type TimerWheel = {
  /** Calls `work` once, `ms` from now or a little later. Answers how to call it off. */
  after(ms: number, work: () => void): () => void
  /** How many timers wait. */
  size(): number
}

/** A wheel that runs only while something waits on it, so that it keeps no process alive for nothing. */
export function createTimerWheel(): TimerWheel {
  const buckets = new Map<number, Set<() => void>>()
  let waiting = 0
  let reached = tickOf(performance.now())
  let beat: NodeJS.Timeout | undefined

  function turn() {
    const now = tickOf(performance.now())
    while (reached < now) {
      reached += 1
      const due = buckets.get(reached)
      buckets.delete(reached)
      for (const work of due ?? []) {
        // What is called off by another of the same moment does not happen.
        if (due?.delete(work) !== true) continue
        waiting -= 1
        work()
      }
    }
    if (waiting > 0) return
    clearInterval(beat)
    beat = undefined
  }

  return {
    after(ms, work) {
      if (beat === undefined) {
        reached = tickOf(performance.now())
        beat = setInterval(turn, TICK_MS)
      }
      const tick = Math.max(reached + 1, tickOf(performance.now() + ms) + 1)
      const entry = () => work()
      const bucket = buckets.get(tick) ?? new Set()
      buckets.set(tick, bucket.add(entry))
      waiting += 1
      return () => {
        if (!bucket.delete(entry)) return
        waiting -= 1
        if (bucket.size === 0) buckets.delete(tick)
      }
    },
    size: () => waiting,
  }
}

const tickOf = (ms: number) => Math.floor(ms / TICK_MS)
