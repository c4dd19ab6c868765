// The lines of one job's log as they come in: in order, without doubles, bounded, told to the page a few times a second.
import type { LogPage } from '@restic-manager/contract/views'
import { type LogRow, logRow } from './log-lines.ts'

/** The most lines the page keeps; a longer log is whole in its download. */
export const KEPT = 150_000
/** A feed is trimmed in slices, not at every line. */
const SLICE = KEPT / 10
const REDRAW = 80

/** `skipped`: lines before the first one kept. `nextSeq`: the number that is expected next. */
export type LogFeed = {
  rows: LogRow[]
  warnings: number
  errors: number
  skipped: number
  nextSeq: number
  problem: string | undefined
}

export type LogStore = {
  take: (page: LogPage) => void
  fail: (sentence: string) => void
  nextSeq: () => number
  subscribe: (listener: () => void) => () => void
  snapshot: () => LogFeed
}

/** A store that begins at line `firstSeq`. `redrawMs` is how long changes are gathered. */
export function createLogStore(firstSeq: number, redrawMs = REDRAW): LogStore {
  const growing: LogFeed = {
    rows: [],
    warnings: 0,
    errors: 0,
    skipped: firstSeq,
    nextSeq: firstSeq,
    problem: undefined,
  }
  const listeners = new Set<() => void>()
  let shown: LogFeed = { ...growing }
  let drawing: ReturnType<typeof setTimeout> | undefined
  const draw = () => {
    drawing ??= setTimeout(() => {
      drawing = undefined
      shown = { ...growing, rows: growing.rows.slice() }
      for (const tell of listeners) tell()
    }, redrawMs)
  }
  return {
    take(page) {
      for (const entry of page.entries) {
        if (entry.seq < growing.nextSeq) continue // a tail taken up again may overlap
        const row = logRow(entry)
        if (row.level === 'warn' && !row.gap) growing.warnings += 1
        if (row.level === 'error') growing.errors += 1
        growing.rows.push(row)
      }
      growing.nextSeq = Math.max(growing.nextSeq, page.nextSeq)
      growing.problem = undefined
      if (growing.rows.length > KEPT + SLICE) {
        const over = growing.rows.length - KEPT
        growing.rows = growing.rows.slice(over)
        growing.skipped = growing.rows[0]?.seq ?? growing.skipped
      }
      draw()
    },
    fail(sentence) {
      growing.problem = sentence
      draw()
    },
    nextSeq: () => growing.nextSeq,
    subscribe: listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    snapshot: () => shown,
  }
}
