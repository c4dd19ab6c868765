// How long until somebody who opens a page sees the first row or sentence of use, with nothing in the browser's cache.
import { type Figure, median, rounded } from '../measure/figure.ts'
import { firstSights, paintedAfter, type FirstSight } from './painted.ts'
import type { PageWorld } from './world.ts'

const GOAL_MS = 1_000

/** Milliseconds, the middle of `runs`, each in a fresh profile after one turn that warms the server. Limit: the page of sign-in, which shows no data. */
export async function benchPagePaint(world: PageWorld, runs: number): Promise<Figure[]> {
  const turn = async ({ at, selector }: FirstSight) => {
    const page = await world.open()
    const took = await paintedAfter(page, `${world.url}${at}`, selector)
    await page.close()
    return took
  }
  const figures: Figure[] = []
  for (const name of ['overview', 'hosts', 'jobs'] as const) {
    await turn(firstSights[name])
    const took = { ours: [] as number[], limit: [] as number[] }
    for (let run = 0; run < runs; run += 1) {
      took.ours.push(await turn(firstSights[name]))
      took.limit.push(await turn(firstSights['sign-in']))
    }
    const [ours, limit] = [median(took.ours), median(took.limit)]
    figures.push({
      ...{ name: `page-paint ${name}`, unit: 'ms', ours: rounded(ours), limit: rounded(limit) },
      ...{ ratio: rounded(ours / limit), goal: GOAL_MS, ok: ours <= GOAL_MS },
    })
  }
  return figures
}
