// What the server said of a newer agent. It is only remembered and shown: packages install it, nothing here does.
import { UpdateAvailable } from '@restic-manager/contract/agent'
import { readMeta, writeMeta } from './state.ts'
import type { Store } from './store.ts'
import { agentVersion } from './version.ts'

/** Remembers it for `agent status`. */
export function noteNewerAgent(store: Store, { latestVersion, packageUrl }: UpdateAvailable): void {
  writeMeta(store, 'newerAgent', JSON.stringify({ latestVersion, packageUrl }))
}

/** The newer agent the server spoke of last; undefined when there was none, or it is this one by now. */
export function readNewerAgent(store: Store): UpdateAvailable | undefined {
  const text = readMeta(store, 'newerAgent')
  const read = text === undefined ? undefined : UpdateAvailable.safeParse(JSON.parse(text))
  return read?.success && read.data.latestVersion !== agentVersion ? read.data : undefined
}
