// The current time for components that show ages, from one timer per period however many show it.
import { useSyncExternalStore } from 'react'

type Clock = { now: number; listeners: Set<() => void>; timer: ReturnType<typeof setInterval> | undefined }
const clocks = new Map<number, Clock>()

function clockOf(periodMs: number): Clock {
  const known = clocks.get(periodMs)
  if (known !== undefined) return known
  const made: Clock = { now: Date.now(), listeners: new Set(), timer: undefined }
  clocks.set(periodMs, made)
  return made
}

function tick(clock: Clock) {
  clock.now = Date.now()
  for (const tell of clock.listeners) tell()
}

const subscribers = new Map<number, (listener: () => void) => () => void>()
function subscriberOf(periodMs: number) {
  const known = subscribers.get(periodMs)
  if (known !== undefined) return known
  const clock = clockOf(periodMs)
  const made = (listener: () => void) => {
    if (clock.listeners.size === 0) {
      clock.now = Date.now()
      clock.timer = setInterval(() => tick(clock), periodMs)
    }
    clock.listeners.add(listener)
    return () => {
      clock.listeners.delete(listener)
      if (clock.listeners.size === 0) clearInterval(clock.timer)
    }
  }
  subscribers.set(periodMs, made)
  return made
}

/** Unix milliseconds, renewed every `periodMs` while the component is shown. */
export const useNow = (periodMs = 10_000): number =>
  useSyncExternalStore(subscriberOf(periodMs), () => clockOf(periodMs).now)
