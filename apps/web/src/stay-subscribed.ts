// Keeps a subscription open: an error or an end finishes one for good, so this opens the next.

type Opened = { unsubscribe: () => void }
/** What a subscription tells while it lives. Each opening reports at most one end. */
export type Telling = {
  onStarted: () => void
  onError: (error: unknown) => void
  onStopped: () => void
  onComplete: () => void
}

const BASE = 500
const CAP = 15_000

/** A random wait below a ceiling that doubles with each attempt. */
export const jitter = (attempt: number): number =>
  100 + Math.random() * Math.min(CAP, BASE * 2 ** Math.min(attempt, 10))

/** Opens a subscription again and again until the returned function is called. `failed` hears why one ended. */
export function staySubscribed(
  open: (telling: Telling) => Opened,
  on: { started?: () => void; failed?: (error: unknown) => void; wait?: (attempt: number) => number } = {},
): () => void {
  let stopped = false
  let attempt = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let current: Opened | undefined

  const start = () => {
    let over = false
    const again = () => {
      if (over || stopped) return
      over = true
      current?.unsubscribe()
      timer = setTimeout(start, (on.wait ?? jitter)(attempt))
      attempt += 1
    }
    current = open({
      onStarted: () => {
        attempt = 0
        on.started?.()
      },
      onError: error => {
        if (!stopped) on.failed?.(error)
        again()
      },
      onStopped: again,
      onComplete: again,
    })
  }
  start()

  return () => {
    stopped = true
    clearTimeout(timer)
    current?.unsubscribe()
  }
}
