// How often an API key may call: counted in memory by each server, so that a script in a loop costs the others nothing.
import { TooMany } from './limits.ts'

const windowMs = 60_000

/** Counts calls of keys. `take` throws `TooMany` once a key has made `callsPerMinute` within a minute. */
export function createKeyLimits(callsPerMinute: number) {
  let windows = new Map<string, { from: number; calls: number }>()
  let sweptAt = performance.now()
  return {
    take(keyId: string, calls: number, now = performance.now()) {
      if (now - sweptAt > windowMs) {
        windows = new Map([...windows].filter(([, { from }]) => now - from < windowMs))
        sweptAt = now
      }
      const window = windows.get(keyId)
      const current = window === undefined || now - window.from >= windowMs ? { from: now, calls: 0 } : window
      windows.set(keyId, current)
      current.calls += calls
      if (current.calls > callsPerMinute)
        throw new TooMany(
          (current.from + windowMs - now) / 1_000,
          `This API key has made its ${callsPerMinute} calls of this minute.`,
        )
    },
  }
}
export type KeyLimits = ReturnType<typeof createKeyLimits>
