// The pause of this host, as the set that was applied last has it.
import { HostPause } from '@restic-manager/contract/schedule'
import { readMeta, writeMeta, type State } from './state.ts'
import type { Store } from './store.ts'

const key = 'schedulePause'

/** Undefined: its schedules go on. */
export function readPause(store: Store): HostPause | undefined {
  const text = readMeta(store, key)
  return text === undefined || text === '' ? undefined : HostPause.parse(JSON.parse(text))
}

/** Remembers the pause, or that there is none. Belongs into the transaction that applies a set. */
export function keepPause(state: State, pause: HostPause | undefined): void {
  writeMeta(state, key, pause === undefined ? '' : JSON.stringify(pause))
}

/** Whether a slot that nobody armed in time fell into the pause; `slot` in Unix milliseconds. */
export const fellInto = (pause: HostPause | undefined, slot: number): boolean =>
  pause !== undefined &&
  slot >= Date.parse(pause.from) &&
  (pause.until === undefined || slot < Date.parse(pause.until))
