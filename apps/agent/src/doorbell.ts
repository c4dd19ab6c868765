// Wakes one waiting loop. A ring that nobody waits for is kept, so no wake-up is lost between a look and the wait.

export type Doorbell = {
  ring(): void
  /** Resolves at the next ring, or at once when one came meanwhile. Resolves, too, when `signal` aborts. */
  heard(signal: AbortSignal): Promise<void>
}

export function createDoorbell(): Doorbell {
  let rung = false
  let wake: (() => void) | undefined
  return {
    ring() {
      rung = true
      wake?.()
    },
    async heard(signal) {
      if (!rung && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        signal.addEventListener('abort', wake)
        await promise
        signal.removeEventListener('abort', wake)
        wake = undefined
      }
      rung = false
    },
  }
}
