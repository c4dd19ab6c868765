// Which zone times are shown in: the browser's, UTC, or the host's on pages that are about one host.
import { useEffect, useSyncExternalStore } from 'react'

/** `host` falls back to the browser's zone where no host's is known. */
export type ZoneChoice = 'browser' | 'host' | 'utc'

const KEY = 'restic-manager.times'
const stored = localStorage.getItem(KEY)
let state: { choice: ZoneChoice; hostZone: string | undefined } = {
  choice: stored === 'utc' || stored === 'host' ? stored : 'browser',
  hostZone: undefined,
}
const listeners = new Set<() => void>()
const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
function change(next: Partial<typeof state>) {
  state = { ...state, ...next }
  for (const tell of listeners) tell()
}

/** Shows all times in another zone from now on, also after a reload. */
export function chooseZone(choice: ZoneChoice): void {
  localStorage.setItem(KEY, choice)
  change({ choice })
}

/** What the switch in the top bar shows. */
export const useZoneChoice = () => useSyncExternalStore(subscribe, () => state)

/** The zone to show times in; undefined is the browser's own. */
export function useZone(): string | undefined {
  const { choice, hostZone } = useZoneChoice()
  return choice === 'utc' ? 'UTC' : choice === 'host' ? hostZone : undefined
}

function isKnownZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en-GB', { timeZone: zone }).resolvedOptions().timeZone !== ''
  } catch {
    return false // a zone from a host this browser has never heard of
  }
}

/** Offers a host's zone in the switch while the calling page is open. */
export function useHostZone(zone: string | null | undefined): void {
  useEffect(() => {
    if (zone == null || !isKnownZone(zone)) return
    change({ hostZone: zone })
    return () => change({ hostZone: undefined })
  }, [zone])
}
