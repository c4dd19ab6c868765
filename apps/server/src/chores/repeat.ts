// A chore that comes round again and again, never twice at once.
import type { Log } from '@restic-manager/runtime/log'

/** Runs `chore` after every `periodMs`, counted from its last end. A failure is logged and costs one round. Answers how to stop it. */
export function repeat(
  name: string,
  periodMs: number,
  log: Log,
  chore: () => Promise<void>,
): () => Promise<void> {
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  const round = async () => {
    try {
      await chore()
    } catch (error) {
      log.error({ chore: name, reason: rootOf(error) }, 'a chore failed')
    }
    if (!stopped) timer = setTimeout(start, periodMs)
  }
  const start = () => {
    running = round()
  }
  timer = setTimeout(start, periodMs)
  return async () => {
    stopped = true
    clearTimeout(timer)
    await running
  }
}

/** Only the innermost message: what wraps it repeats the statement with everything in it. */
export function rootOf(error: unknown): string {
  let inner = error
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause
  return inner instanceof Error ? inner.message : String(inner)
}
