// Whether the page is live, as one small store that the top bar shows.
import { useSyncExternalStore } from 'react'

/** `asOf`: when the page last knew that it was up to date. */
export type Link = { live: boolean; asOf: number }

let link: Link = { live: false, asOf: Date.now() }
const listeners = new Set<() => void>()

/** Says whether the page hears of changes as they happen. */
export function setLive(live: boolean, now: number = Date.now()): void {
  if (link.live === live) return
  link = { live, asOf: now }
  for (const tell of listeners) tell()
}

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** The state of the link, for a component. */
export const useLink = (): Link => useSyncExternalStore(subscribe, () => link)
