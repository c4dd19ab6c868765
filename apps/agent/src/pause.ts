// Waiting that ends early when it is no longer needed.
import { setTimeout as sleep } from 'node:timers/promises'

/** Resolves after that long, or as soon as `signal` aborts. */
export async function pauseFor(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {})
}
