// Whether the page is live and its data can be read, as one small store that the top bar and a banner show.
import { useSyncExternalStore } from 'react'

/**
 * `asOf`: when the page last knew that it was up to date. `silentSince`: when the server's database last answered, for as long as
 * it does not.
 */
export type Link = { live: boolean; asOf: number; silentSince: number | undefined }

let link: Link = { live: false, asOf: Date.now(), silentSince: undefined }
const listeners = new Set<() => void>()

/** Says whether the page hears of changes as they happen. */
export function setLive(live: boolean, now: number = Date.now()): void {
  if (link.live !== live) change({ live, asOf: now })
}

/** Says since when the server's database has not answered. Undefined: it does, or nobody knows better. */
export function setSilence(silentSince: number | undefined): void {
  if (link.silentSince !== silentSince) change({ silentSince })
}

function change(to: Partial<Link>) {
  link = { ...link, ...to }
  for (const tell of listeners) tell()
}

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** The state of the link, for a component. */
export const useLink = (): Link => useSyncExternalStore(subscribe, () => link)
