// For tests only: a clock that stands still until the test moves it, so that a day passes in a second.
import type { Clock } from './timers.ts'

/** How time went: `advance` with the machine awake, `sleep` with it asleep, `set` when somebody set the clock to an instant. */
export type Move = { advance: number } | { sleep: number } | { set: number }

export type TestClock = Clock & {
  /** Time goes by, and each timer that falls due in it runs at its own time. */
  advance(ms: number): Promise<void>
  /** Time goes by at once up to an instant, as `advance`. */
  advanceTo(instant: string | number): Promise<void>
  /** The machine sleeps: the wall clock has moved on when it wakes, nothing else has. */
  sleep(ms: number): Promise<void>
  /** Somebody sets the wall clock. */
  set(instant: string | number): Promise<void>
  move(move: Move): Promise<void>
  /** Lets an agent in a process of its own have the same time. Returns what ends it. */
  follow(follower: (move: Move) => Promise<void>): () => void
}

/** A clock that stands at `start`. */
export function createTestClock(start: string | number): TestClock {
  let wall = new Date(start).getTime()
  let steady = 0
  let timers: { at: number; work: () => void }[] = []
  const followers = new Set<(move: Move) => Promise<void>>()

  /** The work of one timer may set or call off others. */
  function advanceHere(ms: number) {
    const end = steady + ms
    for (;;) {
      const due = timers.filter(timer => timer.at <= end).toSorted((a, b) => a.at - b.at)[0]
      const to = due === undefined ? end : Math.max(due.at, steady)
      wall += to - steady
      steady = to
      if (due === undefined) return
      timers = timers.filter(timer => timer !== due)
      due.work()
    }
  }

  const clock: TestClock = {
    now: () => wall,
    steady: () => steady,
    after(ms, work) {
      const timer = { at: steady + Math.max(0, ms), work }
      timers.push(timer)
      return () => void (timers = timers.filter(each => each !== timer))
    },
    async move(move) {
      if ('advance' in move) advanceHere(move.advance)
      else if ('sleep' in move) wall += move.sleep
      else wall = move.set
      await Promise.all([...followers].map(follow => follow(move)))
    },
    advance: ms => clock.move({ advance: ms }),
    advanceTo: instant => clock.advance(Math.max(0, new Date(instant).getTime() - wall)),
    sleep: ms => clock.move({ sleep: ms }),
    set: instant => clock.move({ set: new Date(instant).getTime() }),
    follow(follower) {
      followers.add(follower)
      return () => void followers.delete(follower)
    },
  }
  return clock
}
