// Wakes many readers without keeping everything else waiting: so many in one turn of the event loop, the rest in the next.

/** What an alarm wakes. */
export type Sleeper = { wake(): void }

/** Readers that are woken in one turn. */
export const SLICE = 500

/**
 * Answers what wakes a reader: at once while few are woken, else in its turn. Whoever is to be woken already is woken once. When a whole
 * fleet is told something, its heartbeats are read between two slices.
 */
export function createAlarm(): (sleeper: Sleeper) => void {
  const waiting = new Set<Sleeper>()
  let woken = 0

  function beginTurn() {
    woken = 0
    for (const sleeper of waiting) {
      if (woken === SLICE) break
      waiting.delete(sleeper)
      wake(sleeper)
    }
  }

  function wake(sleeper: Sleeper) {
    if (woken === 0) setImmediate(beginTurn)
    woken += 1
    sleeper.wake()
  }

  return sleeper => {
    if (woken < SLICE && waiting.size === 0) wake(sleeper)
    else waiting.add(sleeper)
  }
}
