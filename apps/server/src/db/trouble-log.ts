// Says in the log what the database could not do: the first at once, then how often, so that a bad hour is not a million lines.
import type { Log } from '@restic-manager/runtime/log'

/** Takes the code of each trouble. Within `everyMs` after a line only the numbers are kept. */
export function createTroubleLog(log: Log, everyMs = 10_000): (code: string) => void {
  let counts: Map<string, number> | undefined
  const say = (codes: Record<string, number>) =>
    log.warn({ codes }, 'the database could not do what was asked; whoever asked was told to try again')
  const startCounting = () => {
    counts = new Map()
    setTimeout(() => {
      const codes = Object.fromEntries(counts ?? [])
      counts = undefined
      if (Object.keys(codes).length === 0) return
      say(codes)
      startCounting()
    }, everyMs).unref()
  }
  return code => {
    if (counts !== undefined) {
      counts.set(code, (counts.get(code) ?? 0) + 1)
      return
    }
    say({ [code]: 1 })
    startCounting()
  }
}
