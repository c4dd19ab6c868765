// What a heartbeat says of the records that wait on this host.
import type { SpoolReport } from '@restic-manager/contract/agent'
import { factDepth } from './facts.ts'
import type { LogSpool } from './log-spool.ts'
import { fitText } from './restic/fit-text.ts'
import type { State } from './state.ts'

/** How much waits, what the server refused, and whether the disk is full. */
export function spoolReport(state: State, logs: Pick<LogSpool, 'bytes'>): SpoolReport {
  const { waiting, setAsideCount, setAside } = factDepth(state)
  const [newest] = setAside
  return {
    facts: waiting,
    logBytes: logs.bytes(),
    ...(newest === undefined
      ? {}
      : { setAside: { ...newest, count: setAsideCount, why: fitText(newest.why, 2_000) } }),
    ...(state.reserve.isFull() ? { full: true } : {}),
  }
}
