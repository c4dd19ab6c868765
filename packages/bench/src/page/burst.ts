// What a thousand hosts that change at once make an open page ask, against what one host makes it ask.
import { newId } from '@restic-manager/contract/ids'
import { until } from '@restic-manager/testkit/until'
import type { Page } from 'playwright-core'
import { type Figure, rounded } from '../measure/figure.ts'
import { countCalls, type PageCalls } from './calls.ts'
import type { PageWorld } from './world.ts'

const CHANGES = 1_000
/** A list is read again about once a second. */
const PAUSE_S = 1

/** Queries and HTTP calls of an open Overview and an open list of hosts until they are quiet again. Limit: each query once, and the calls for one host. */
export async function benchPageBurst(world: PageWorld): Promise<Figure[]> {
  const hostIds = await someOnline(world)
  const figures: Figure[] = []
  for (const [name, at] of Object.entries({ overview: '/', hosts: '/hosts' })) {
    const page = await world.open()
    await page.goto(`${world.url}${at}`)
    await page.waitForLoadState('networkidle')
    const one = await changing(world, page, hostIds.slice(0, 1))
    const all = await changing(world, page, hostIds)
    await page.close()
    const rounds = Math.ceil(all.seconds / PAUSE_S) + 1
    const of = `page-burst ${name}, ${hostIds.length} changes in ${rounded(all.seconds)} s`
    for (const [unit, ours, limit] of [
      ['queries', all.total, all.queries.size],
      ['HTTP calls', all.requests, one.requests],
    ] as const)
      figures.push({
        ...{ name: of, unit, ours, limit, ratio: rounded(ours / limit) },
        ...{ goal: all.queries.size * rounds, ok: ours <= all.queries.size * rounds },
      })
  }
  return figures
}

async function someOnline({ api }: PageWorld): Promise<string[]> {
  const ids: string[] = []
  let cursor: string | undefined
  do {
    const { rows, nextCursor } = await api.hosts.list.query({ state: 'online', limit: 100, cursor })
    ids.push(...rows.map(({ id }) => id))
    cursor = nextCursor ?? undefined
  } while (cursor !== undefined && ids.length < CHANGES)
  return ids.slice(0, CHANGES)
}

/** Pauses these hosts and counts until the page is quiet; then takes it back. */
async function changing(
  world: PageWorld,
  page: Page,
  hostIds: string[],
): Promise<PageCalls & { seconds: number }> {
  const counting = countCalls(page)
  const began = performance.now()
  await bulk(world, 'pause', hostIds)
  await quiet(page)
  const seconds = (performance.now() - began) / 1_000
  const counted = counting.stop()
  await bulk(world, 'resume', hostIds)
  await quiet(page)
  return { ...counted, seconds }
}

/** What is gathered is read within some seconds. */
async function quiet(page: Page) {
  await page.waitForTimeout(5_000)
  await page.waitForLoadState('networkidle')
}

async function bulk({ api }: PageWorld, kind: 'pause' | 'resume', hostIds: string[]) {
  const requestId = newId()
  await api.hosts.bulk.mutate({ requestId, kind, hostIds })
  await until(
    () => api.hosts.bulkProgress.query({ requestId }),
    progress => progress?.finishedAt != null,
    { what: 'the end of the act', timeoutMs: 120_000 },
  )
}
