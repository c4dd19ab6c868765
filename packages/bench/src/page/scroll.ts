// Whether the list of hosts stutters while somebody wheels through all of it, down while pages come in and up again.
import type { Figure } from '../measure/figure.ts'
import { bareFrames, frameFigures, framesDuring, wheelUntil } from './frames.ts'
import type { PageWorld } from './world.ts'

/** Frames on the way down and on the way up. */
export async function benchPageScroll(world: PageWorld): Promise<Figure[]> {
  const page = await world.open()
  const bare = await bareFrames(page)
  await page.goto(`${world.url}/hosts`)
  const row = (number: number) => page.locator(`[role="row"][aria-rowindex="${number + 1}"]`)
  await row(1).waitFor()
  await page.waitForLoadState('networkidle')
  await page.mouse.move(700, 500)
  const { total } = await world.api.hosts.list.query({ limit: 1 })
  const sees = (number: number) => async () => (await row(number).count()) > 0
  const down = await framesDuring(page, () => wheelUntil(page, 1, sees(total)))
  const up = await framesDuring(page, () => wheelUntil(page, -1, sees(1)))
  await page.close()
  return [
    ...frameFigures('page-scroll hosts, reading on', down, bare),
    ...frameFigures('page-scroll hosts, back up', up, bare),
  ]
}
