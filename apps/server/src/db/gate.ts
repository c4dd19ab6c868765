// The door to the database: so many are inside at a time, so many wait before it, and nobody waits for long.

/** There was no place at the database within the time. Nothing was asked of it. */
export class DatabaseBusy extends Error {
  readonly code = 'DATABASE_BUSY'
}

export type Gate = {
  /** Does it as soon as there is a place, first come, first served. Rejects with `DatabaseBusy` when none comes. */
  pass<T>(act: () => Promise<T>): Promise<T>
  /** How many are inside and how many wait now. */
  load(): GateLoad
}

export type GateLoad = { inside: number; waiting: number }

export type GateLimits = { most: number; mostWaiting: number; waitMs: number }

/** `most` inside at a time, `mostWaiting` in the queue, each of them at most `waitMs`. */
export function createGate({ most, mostWaiting, waitMs }: GateLimits): Gate {
  let inside = 0
  const queue = new Set<() => void>()

  const wait = () =>
    new Promise<void>((resolve, reject) => {
      const enter = () => {
        clearTimeout(late)
        queue.delete(enter)
        resolve()
      }
      const late = setTimeout(() => {
        queue.delete(enter)
        reject(new DatabaseBusy(`no place within ${waitMs} ms`))
      }, waitMs)
      queue.add(enter)
    })

  return {
    load: () => ({ inside, waiting: queue.size }),
    async pass(act) {
      if (inside < most) inside += 1
      else if (queue.size >= mostWaiting) throw new DatabaseBusy(`${queue.size} wait already`)
      else await wait()
      try {
        return await act()
      } finally {
        // The place goes to whoever waits longest, without being free in between.
        const [next] = queue
        if (next === undefined) inside -= 1
        else next()
      }
    },
  }
}
