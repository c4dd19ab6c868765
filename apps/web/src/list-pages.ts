// A long list read page by page. A re-read asks only for the pages in view; the others wait until they come into view.
import { infiniteQueryOptions, keepPreviousData, useInfiniteQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { joinPages, type Kept, type Page, type PageRange, pagesBetween } from './page-rows.ts'

type Place = { index: number; cursor: string | undefined }
type ReadPage<P> = (cursor: string | undefined, signal: AbortSignal) => Promise<P>

/** So many rows before the end the next page is asked for. */
const NEAR = 20

/**
 * Options of an infinite query. When it is read again, a page out of view stays as it was and is marked as kept:
 * however far somebody has scrolled, a change costs as many requests as there are pages in view.
 */
export const listPagesOptions = <P extends Page>(
  queryKey: readonly unknown[],
  read: ReadPage<P>,
  isInView: (page: number) => boolean,
) =>
  infiniteQueryOptions({
    queryKey,
    queryFn: async ({ client, pageParam: { index, cursor }, signal }): Promise<Kept<P>> => {
      const old = client.getQueryData<{ pages: Kept<P>[] }>(queryKey)?.pages[index]
      if (old !== undefined && !isInView(index)) return { ...old, kept: true }
      return { ...(await read(cursor, signal)), kept: false }
    },
    initialPageParam: { index: 0, cursor: undefined } as Place,
    getNextPageParam: ({ nextCursor }, pages): Place | undefined =>
      nextCursor === null ? undefined : { index: pages.length, cursor: nextCursor },
  })

/** Which pages are on the screen. It changes while somebody scrolls, and nothing is drawn anew for it. */
function openView() {
  let view: PageRange = { first: 0, last: 0 }
  return {
    move(to: PageRange) {
      view = to
    },
    has: (page: number) => page >= view.first && page <= view.last,
  }
}

/**
 * Reads a list. `newest` is a page that is up to date, for what it says of the whole list. `onView` wants to know which
 * rows are on the screen, after every render.
 */
export function useListPages<P extends Page>(queryKey: readonly unknown[], read: ReadPage<P>) {
  const [view] = useState(openView)
  const query = useInfiniteQuery({
    ...listPagesOptions(queryKey, read, view.has),
    placeholderData: keepPreviousData,
  })
  const pages = query.data?.pages ?? []
  const { rows, starts } = joinPages(pages)
  const onView = (first: number, last: number) => {
    view.move(pagesBetween(starts, first, last))
    // After an error it is the link coming back, or a person, that tries again.
    if (query.isFetching || query.isError) return
    if (pages.some((page, index) => page.kept && view.has(index))) void query.refetch()
    else if (query.hasNextPage && last >= rows.length - NEAR) void query.fetchNextPage()
  }
  return { query, rows, newest: pages.findLast(page => !page.kept), onView }
}
