// What is chosen in a long list: some rows by their ids, or everything that matches the filter.
import { useState } from 'react'

/** What one act may name by id; beyond that everything that matches is chosen instead. */
export const mostChosen = 1_000

export type Selection = {
  isAll: boolean
  count: number
  ids: readonly string[]
  has(id: string): boolean
  toggle(id: string): void
  /** Chooses these rows, or lets all of them go where they are chosen already. */
  toggleThese(ids: readonly string[]): void
  chooseAll(): void
  clear(): void
}

/** `of` says what is listed: another filter is another list, of which nothing is chosen. `total`: rows that match. */
export function useSelection(of: string, total: number): Selection {
  const [kept, setKept] = useState({ of, isAll: false, ids: new Set<string>() })
  const { isAll, ids } = kept.of === of ? kept : { isAll: false, ids: new Set<string>() }
  const set = (next: Iterable<string>, all = false) =>
    setKept({ of, isAll: all, ids: new Set([...next].slice(0, mostChosen)) })
  return {
    isAll,
    count: isAll ? total : ids.size,
    ids: [...ids],
    has: id => isAll || ids.has(id),
    toggle: id => {
      if (isAll) set([])
      else if (ids.has(id)) set([...ids].filter(each => each !== id))
      else set([...ids, id])
    },
    toggleThese: these => set(isAll || these.every(id => ids.has(id)) ? [] : new Set([...ids, ...these])),
    chooseAll: () => set([], true),
    clear: () => set([]),
  }
}
