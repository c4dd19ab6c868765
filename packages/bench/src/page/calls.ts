// What an open page asks of its server, procedure by procedure.
import type { Page, Request } from 'playwright-core'

export type PageCalls = {
  /** How often each query was asked, by procedure and input. */
  queries: Map<string, number>
  /** HTTP calls: a batch of queries is one. */
  requests: number
  /** How many queries there were in all. */
  total: number
}

/** Counts from now on until `stop`, which answers what was asked. Subscriptions go another way and are not among it. */
export function countCalls(page: Page): { stop: () => PageCalls } {
  const queries = new Map<string, number>()
  let requests = 0
  const hear = (request: Request) => {
    const { pathname, searchParams } = new URL(request.url())
    if (!pathname.startsWith('/trpc/')) return
    requests += 1
    const inputs = JSON.parse(searchParams.get('input') ?? '{}') as Record<string, unknown>
    for (const [place, procedure] of pathname.slice('/trpc/'.length).split(',').entries()) {
      const query = `${procedure} ${JSON.stringify(inputs[place] ?? null)}`
      queries.set(query, (queries.get(query) ?? 0) + 1)
    }
  }
  page.on('request', hear)
  return {
    stop() {
      page.off('request', hear)
      return { queries, requests, total: [...queries.values()].reduce((sum, count) => sum + count, 0) }
    },
  }
}
