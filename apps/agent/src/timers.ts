// The agent's time: the wall clock that slots are planned by, and a steady one that nobody sets, for how long something took.

/** Where the agent reads the time and waits for it. Tests put another in its place and let a day pass in a second. */
export type Clock = {
  /** The wall clock in Unix milliseconds. It jumps when somebody sets it, and when the machine slept. */
  now(): number
  /** Milliseconds since some moment. It only goes forward, and may stand still while the machine sleeps. */
  steady(): number
  /** Does `work` once that much steady time has gone by. Returns what calls it off. */
  after(ms: number, work: () => void): () => void
}

/** As `performance.now()`, without the megabyte of Node that is resident from its first use on. */
export const steady = () => Number(process.hrtime.bigint()) / 1e6

/** A Node timer with a longer delay fires at once. */
const longestDelayMs = 2 ** 31 - 1

/** The time of this machine. */
export const systemClock: Clock = {
  now: Date.now,
  steady,
  after(ms, work) {
    const dueAt = steady() + ms
    let timer: NodeJS.Timeout
    const wait = () => {
      const left = dueAt - steady()
      timer =
        left > longestDelayMs
          ? setTimeout(wait, longestDelayMs)
          : setTimeout(work, Math.max(0, Math.ceil(left)))
    }
    wait()
    return () => clearTimeout(timer)
  },
}

/** How far the wall clock got ahead of the steady one since the last look: the machine slept, or the clock was set. Negative: set back. */
export function createJumpWatch(clock: Clock): () => number {
  const apart = () => clock.now() - clock.steady()
  let last = apart()
  return () => {
    const before = last
    last = apart()
    return last - before
  }
}
