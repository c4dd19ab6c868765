// How much script a browser loads for a first look, compressed.
import { gzipSync } from 'node:zlib'
import type { Response } from 'playwright-core'
import { type Figure, rounded } from '../measure/figure.ts'
import { firstSights, paintedAfter, type FirstSight } from './painted.ts'
import type { PageWorld } from './world.ts'

const GOAL_KB = 250

/** kB after gzip of every script that a fresh profile has loaded when the page is quiet. Limit: the page of sign-in. */
export async function benchPageBundle(world: PageWorld): Promise<Figure[]> {
  const limit = await scriptsOf(world, firstSights['sign-in'])
  const figures: Figure[] = []
  for (const name of ['overview', 'hosts', 'jobs'] as const) {
    const ours = await scriptsOf(world, firstSights[name])
    figures.push({
      ...{
        name: `page-bundle ${name}`,
        unit: 'kB of script, gzip',
        ours: rounded(ours),
        limit: rounded(limit),
      },
      ...{ ratio: rounded(ours / limit), goal: GOAL_KB, ok: ours <= GOAL_KB },
    })
  }
  return figures
}

async function scriptsOf(world: PageWorld, { at, selector }: FirstSight): Promise<number> {
  const page = await world.open()
  const heard: Promise<number>[] = []
  page.on('response', (response: Response) => {
    if (response.request().resourceType() !== 'script') return
    heard.push(response.body().then(body => gzipSync(body).length))
  })
  await paintedAfter(page, `${world.url}${at}`, selector)
  await page.waitForLoadState('networkidle')
  const sizes = await Promise.all(heard)
  await page.close()
  return sizes.reduce((sum, size) => sum + size, 0) / 1_000
}
