// Agents on their way in, from the challenge until they were told their first orders: only so many at once.
import { Refusal } from '@restic-manager/contract/refusal'
import type { Bus } from '../db/bus.ts'

export type ArrivalLimits = {
  /** Hosts on their way in at once. */
  most: number
  /** Who is not in by then has lost its place. */
  placeMs: number
}

/** What a host has to be told before it is in. */
type Part = 'orders' | 'schedules'

/** The place of one connection. */
export type Place = {
  told(part: Part): void
  leave(): void
}

/** A fleet that lost its server comes back as one. Whoever finds no place is sent away before the database is asked anything. */
export type Arrivals = {
  isFull(): boolean
  /** What to tell who has to come again: about when its turn comes, by how many wait and how fast hosts get in. */
  turnAway(): Busy
  /** Does one step of a host's way in. Throws `Busy` when it has no place and there is none. */
  step<T>(hostId: string, work: () => Promise<T>): Promise<T>
  /** This bearer, once shown, belongs to that host. */
  expect(bearer: string, hostId: string): void
  /** Does the step for which a host has only its bearer to show. */
  stepOfBearer<T>(bearer: string, work: () => Promise<T>): Promise<T>
  /** The connection of a host that is let in keeps its place until it is told everything, or gone. */
  seat(hostId: string): Place
  /** The host said hello, here or to another server: a place that still waits for its next step is free. */
  greeted(hostId: string): void
}

/** `isSeated`: by a connection, which gives it back. */
type Taken = { at: number; isSeated: boolean }

/** There is no place. Nothing was done, and asking again is safe. */
export class Busy extends Refusal {
  readonly retryAfterSeconds: number
  constructor(retryAfterSeconds: number) {
    super('unavailable', `Many agents are coming at once. Try again in ${retryAfterSeconds} s.`)
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** An agent waits between once and twice what it is asked. */
const LONGEST_WAIT_SECONDS = 30
/** How many hosts get in each second, until it is known better. Too high costs a host another short call, too low leaves places empty. */
const FIRST_GUESS_PER_SECOND = 200
/** The longest time between two hosts that is believed: longer, and nobody was coming. */
const LONGEST_GAP_MS = 1_000

/** All places free. One for each server process. `random` stands between 0 and 1. */
export function createArrivals(
  { most, placeMs }: ArrivalLimits,
  random: () => number = Math.random,
): Arrivals {
  /** By host, or by bearer while the host is not known. The oldest come first. */
  const places = new Map<string, Taken>()
  const bearers = new Map<string, { hostId: string; until: number }>()
  /** When the turn of the last one in the queue comes. */
  let queuedUntil = 0
  let gapMs = 1_000 / FIRST_GUESS_PER_SECOND
  /** When the last host got in while others waited. */
  let lastInAt: number | undefined

  function isFull() {
    if (places.size < most) return false
    const now = performance.now()
    dropOld(places, ({ at }) => at + placeMs < now)
    return places.size >= most
  }

  function turnAway() {
    const now = performance.now()
    queuedUntil = Math.max(now, Math.min(queuedUntil, now + 2_000 * LONGEST_WAIT_SECONDS) + gapMs)
    const askedSeconds = (queuedUntil - now) / 2_000
    // Whole seconds, right on the average.
    return new Busy(Math.max(1, Math.min(LONGEST_WAIT_SECONDS, Math.floor(askedSeconds + random()))))
  }

  /** Measures how fast hosts get in, which is the server's own speed only while there are more than it lets in. */
  function countIn() {
    const now = performance.now()
    if (lastInAt !== undefined) gapMs += (Math.min(now - lastInAt, LONGEST_GAP_MS) - gapMs) / 50
    lastInAt = places.size >= most ? now : undefined
  }

  function take(key: string, isSeated = false): Taken {
    const taken = { at: performance.now(), isSeated }
    places.delete(key)
    places.set(key, taken)
    return taken
  }

  async function step<T>(key: string, work: () => Promise<T>): Promise<T> {
    if (!places.has(key) && isFull()) throw turnAway()
    take(key)
    try {
      return await work()
    } catch (error) {
      places.delete(key)
      throw error
    }
  }

  return {
    isFull,
    turnAway,
    step,
    expect(bearer, hostId) {
      const now = performance.now()
      dropOld(bearers, ({ until }) => until < now)
      bearers.set(bearer, { hostId, until: now + placeMs })
    },
    async stepOfBearer(bearer, work) {
      const key = bearers.get(bearer)?.hostId ?? bearer
      bearers.delete(bearer)
      const done = await step(key, work)
      if (key === bearer) places.delete(key)
      return done
    },
    seat(hostId) {
      const taken = take(hostId, true)
      const missing = new Set<Part>(['orders', 'schedules'])
      const leave = () => {
        // A newer connection of the same host may have taken it over.
        if (places.get(hostId) === taken) places.delete(hostId)
      }
      return {
        told(part) {
          if (!missing.delete(part) || missing.size > 0) return
          countIn()
          leave()
        },
        leave,
      }
    },
    greeted(hostId) {
      if (places.get(hostId)?.isSeated === false) places.delete(hostId)
    },
  }
}

/** Frees places of hosts that came in by another server, until `signal` aborts. A greeting that was missed costs a place until it is old. */
export async function hearGreetings(bus: Bus, arrivals: Arrivals, signal: AbortSignal): Promise<void> {
  for await (const { changes } of bus.wakeups([{ topic: 'hello' }], signal))
    for (const { id } of changes) arrivals.greeted(id)
}

/** Drops from the front of a map whose oldest entries come first. */
function dropOld<T>(map: Map<string, T>, isOld: (value: T) => boolean) {
  for (const [key, value] of map) {
    if (!isOld(value)) return
    map.delete(key)
  }
}
