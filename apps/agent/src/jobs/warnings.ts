// The warnings of one job: bounded, and each path only once.
import { MAX_WARNINGS, type Warning } from '@restic-manager/contract/job'
import { fitText } from '../restic/fit-text.ts'

export type WarningList = {
  /** A second warning with the same code and path changes nothing. */
  add(code: string, message: string, path?: string): void
  has(code: string): boolean
  /** At most 1,000, then one that counts the rest. */
  all(): Warning[]
}

/** Beyond the limit warnings are only counted, so that a million unread files cost no memory. */
export function collectWarnings(): WarningList {
  const kept = new Map<string, Warning>()
  const codes = new Set<string>()
  let more = 0
  return {
    add(code, message, path) {
      codes.add(code)
      const key = `${code}\0${path ?? message}`
      if (kept.has(key)) return
      if (kept.size >= MAX_WARNINGS) {
        more += 1
        return
      }
      kept.set(key, {
        code,
        message: fitText(message, 2_000),
        ...(path === undefined || path === '' ? {} : { path: fitText(path, 4_096) }),
      })
    },
    has: code => codes.has(code),
    all: () => [
      ...kept.values(),
      ...(more === 0 ? [] : [{ code: 'more_warnings', message: `${more} more warnings are in the log.` }]),
    ],
  }
}
