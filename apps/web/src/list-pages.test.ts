// Promises of a long list: what a re-read costs, and that no row is lost or shown twice while pages differ in age.
import { InfiniteQueryObserver, QueryClient } from '@tanstack/react-query'
import { expect, onTestFinished, test } from 'vitest'
import { listPagesOptions } from './list-pages.ts'
import { joinPages, pagesBetween } from './page-rows.ts'

/** A list on the server, ten rows a page, ordered by number. */
function openList(numbers: number[]) {
  const list = { numbers, asked: [] as (string | undefined)[] }
  const view = { first: 0, last: 0 }
  const client = new QueryClient()
  const read = async (cursor: string | undefined) => {
    list.asked.push(cursor)
    const rest = list.numbers.filter(number => cursor === undefined || number > Number(cursor))
    const rows = rest.slice(0, 10).map(number => ({ id: String(number) }))
    return { rows, nextCursor: rest.length > 10 ? (rows.at(-1)?.id ?? null) : null }
  }
  const observer = new InfiniteQueryObserver(
    client,
    listPagesOptions(['list'], read, page => page >= view.first && page <= view.last),
  )
  onTestFinished(observer.subscribe(() => {}))
  const shown = () =>
    joinPages(observer.getCurrentResult().data?.pages ?? []).rows.map(({ id }) => Number(id))
  return {
    list,
    view,
    shown,
    async scroll(pages: number) {
      await observer.refetch()
      for (let page = 1; page < pages; page += 1) await observer.fetchNextPage()
      list.asked = []
    },
    change: () => client.invalidateQueries({ queryKey: ['list'] }),
  }
}
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)

test('a change asks only for the pages in view, however many were scrolled to', async () => {
  const { list, view, scroll, change } = openList(upTo(500))
  await scroll(40)
  Object.assign(view, { first: 20, last: 21 })
  await change()
  expect(list.asked).toEqual(['199', '209'])
})

test('what changed in view is there at once, the rest when it comes into view', async () => {
  const { list, view, shown, scroll, change } = openList(upTo(50))
  await scroll(5)
  list.numbers = [...upTo(50).map(number => number - 0.5), ...upTo(50)].toSorted((a, b) => a - b)
  Object.assign(view, { first: 1, last: 1 })
  await change()
  expect(shown().slice(10, 20)).toEqual(upTo(10).map(index => 9.5 + index / 2))
  for (const page of upTo(10)) {
    Object.assign(view, { first: page, last: page + 1 })
    await change()
  }
  expect(shown().slice(0, 40)).toEqual(list.numbers.slice(0, 40))
})

test('a row that moved between two pages is shown once, from the page that is not behind', () => {
  const kept = { rows: [{ id: 'a' }, { id: 'b' }], nextCursor: 'b', kept: true }
  const fresh = { rows: [{ id: 'b' }, { id: 'c' }], nextCursor: null, kept: false }
  expect(joinPages([kept, fresh])).toEqual({ rows: [{ id: 'a' }, { id: 'b' }, { id: 'c' }], starts: [0, 1] })
})

test('a list that became shorter loses the pages that are no more', async () => {
  const { list, shown, scroll, change } = openList(upTo(50))
  await scroll(5)
  list.numbers = upTo(4)
  await change()
  expect(shown()).toEqual(upTo(4))
})

test('rows belong to the page they came with', () => {
  expect(pagesBetween([0, 100, 200], 95, 130)).toEqual({ first: 0, last: 1 })
  expect(pagesBetween([0, 100, 200], 230, 260)).toEqual({ first: 2, last: 2 })
  expect(pagesBetween([], 0, 0)).toEqual({ first: 0, last: 0 })
})
