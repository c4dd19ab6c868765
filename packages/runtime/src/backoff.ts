// How long to wait before trying again: full jitter, so that a fleet that lost its server does not come back as one.

export type Backoff = {
  /** The wait before the next attempt. `heldMs`: how long the last one lasted, 0 when it failed at once. */
  next(heldMs?: number): number
}

/** Waits between 0 and a ceiling that doubles from `baseMs` to `capMs`, and is low again after something that held `resetMs`. */
export function startBackoff(
  { baseMs, capMs, resetMs }: { baseMs: number; capMs: number; resetMs: number },
  random: () => number = Math.random,
): Backoff {
  let ceiling = baseMs
  return {
    next(heldMs = 0) {
      if (heldMs >= resetMs) ceiling = baseMs
      const wait = random() * ceiling
      ceiling = Math.min(capMs, ceiling * 2)
      return wait
    },
  }
}
