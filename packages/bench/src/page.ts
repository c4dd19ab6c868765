// The page in a real Chromium, on a large fleet: its parts, each a file of its own, on one server.
import os from 'node:os'
import type { Figure } from './measure/figure.ts'
import { benchPageBundle } from './page/bundle.ts'
import { benchPageBurst } from './page/burst.ts'
import { benchPageLog } from './page/log.ts'
import { benchPagePaint } from './page/paint.ts'
import { benchPageScroll } from './page/scroll.ts'
import { benchPageSnapshots } from './page/snapshots.ts'
import { openPageWorld, type PageWish, type PageWorld } from './page/world.ts'

const parts = {
  paint: benchPagePaint,
  bundle: benchPageBundle,
  snapshots: benchPageSnapshots,
  scroll: benchPageScroll,
  log: benchPageLog,
  burst: benchPageBurst,
} satisfies Record<string, (world: PageWorld, runs: number) => Promise<Figure[]>>

export type PagePart = keyof typeof parts
export const pageParts = Object.keys(parts) as PagePart[]

export type PageOptions = PageWish & { runs: number; only: readonly PagePart[] }

/** Figures of all parts, or of those in `only`. The load of the machine before each is said on standard error. */
export async function benchPage({ runs, only, ...wish }: PageOptions): Promise<Figure[]> {
  await using world = await openPageWorld(wish)
  const note = (text: string) => void process.stderr.write(`${text}\n`)
  note(`${world.fleet.hosts} hosts, ${world.fleet.jobs} jobs, Chromium ${world.browser.version()}`)
  const figures: Figure[] = []
  for (const part of only.length === 0 ? pageParts : only) {
    note(
      `page ${part}, load ${os
        .loadavg()
        .map(load => load.toFixed(1))
        .join(' ')}`,
    )
    figures.push(...(await parts[part](world, runs)))
  }
  return figures
}
