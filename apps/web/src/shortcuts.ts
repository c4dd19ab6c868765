// The keys of the page: what each does, and whether those without Ctrl are on.
import { useEffect, useSyncExternalStore } from 'react'

/** Pages reached by G and a letter. */
export const goKeys = {
  h: { word: 'Hosts', href: '/hosts' },
  j: { word: 'Jobs', href: '/jobs' },
  r: { word: 'Repositories', href: '/repositories' },
  a: { word: 'Needs attention', href: '/attention' },
  s: { word: 'Settings', href: '/settings' },
} as const

/** How Ctrl+K is written on this machine. */
export const findKeys = /Mac|iPhone|iPad/.test(navigator.platform) ? '⌘ K' : 'Ctrl K'

const KEY = 'restic-manager.single-keys'
const listeners = new Set<() => void>()
const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
const areOn = () => localStorage.getItem(KEY) !== 'off'

/** Whether single keys do something. Who speaks to the computer may want them off. */
export const useSingleKeys = (): boolean => useSyncExternalStore(subscribe, areOn)

/** Turns single keys on or off, also after a reload. */
export function turnSingleKeys(on: boolean): void {
  localStorage.setItem(KEY, on ? 'on' : 'off')
  for (const tell of listeners) tell()
}

/** After G so long a letter may take. */
const GO_MS = 1_500

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || target.closest('input, textarea, select, [role="dialog"]') !== null)

/** What a key means to the page; undefined: nothing. `wentAt`: when G was pressed last. */
export function meaningOf(
  key: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey' | 'timeStamp'>,
  { wentAt, single }: { wentAt: number; single: boolean },
): 'find' | 'help' | 'go' | { href: string } | undefined {
  const letter = key.key.toLowerCase()
  if ((key.ctrlKey || key.metaKey) && !key.altKey && !key.shiftKey) return letter === 'k' ? 'find' : undefined
  if (!single || key.ctrlKey || key.metaKey || key.altKey) return undefined
  if (key.timeStamp - wentAt < GO_MS && Object.hasOwn(goKeys, letter))
    return { href: goKeys[letter as keyof typeof goKeys].href }
  return key.key === '/' ? 'find' : key.key === '?' ? 'help' : letter === 'g' ? 'go' : undefined
}

/** Listens to the keys of the page while the calling component is shown. */
export function useShortcuts(act: { find: () => void; help: () => void; go: (href: string) => void }): void {
  const single = useSingleKeys()
  useEffect(() => {
    let wentAt = -Infinity
    const listen = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return
      const meaning = meaningOf(event, { wentAt, single: single && !isTyping(event.target) })
      wentAt = meaning === 'go' ? event.timeStamp : -Infinity
      if (meaning === undefined || meaning === 'go') return
      event.preventDefault()
      if (typeof meaning === 'object') act.go(meaning.href)
      else act[meaning]()
    }
    document.addEventListener('keydown', listen)
    return () => document.removeEventListener('keydown', listen)
  })
}
