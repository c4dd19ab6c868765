// What a repository with thousands of snapshots costs the browser: until it is seen, and how much of it stands on the page.
import { type Figure, median, rounded } from '../measure/figure.ts'
import { wheelUntil } from './frames.ts'
import { countNodes, paintedAfter } from './painted.ts'
import type { PageWorld } from './world.ts'

const SNAPSHOTS = 5_000
const GOAL_MS = 500
const GOAL_NODES = 3_000

/** Until the first snapshot is seen, the middle of `runs`, and the elements then; in the list of snapshots also after wheeling through it. */
export async function benchPageSnapshots(world: PageWorld, runs: number): Promise<Figure[]> {
  const repositories = await world.api.repositories.list.query()
  const largest = repositories.toSorted((a, b) => a.snapshotCount - b.snapshotCount)
  const { id, snapshotCount } = largest.find(each => each.snapshotCount >= SNAPSHOTS) ??
    largest.at(-1) ?? { id: '', snapshotCount: 0 }
  const pages = {
    repository: { at: `/repositories/${id}`, selector: '.snapshot' },
    list: {
      at: `/snapshots?repositoryId=${id}`,
      selector: '.snapshot-timeline [role="row"][aria-rowindex="2"]',
    },
  }
  const figures: Figure[] = []
  for (const [name, { at, selector }] of Object.entries(pages)) {
    const of = `page-snapshots ${name}, ${snapshotCount} snapshots`
    const took: number[] = []
    const limits: number[] = []
    let nodes = 0
    for (let run = 0; run <= runs; run += 1) {
      const bare = await world.open()
      limits.push(await paintedAfter(bare, `${world.url}/sign-in`, 'h1'))
      await bare.close()
      const page = await world.open()
      took.push(await paintedAfter(page, `${world.url}${at}`, selector))
      nodes = Math.max(nodes, await countNodes(page))
      if (name === 'list' && run === runs) {
        await page.mouse.move(700, 500)
        const row = page.locator(`[role="row"][aria-rowindex="${Math.min(snapshotCount, SNAPSHOTS)}"]`)
        await wheelUntil(page, 1, async () => (await row.count()) > 0)
        figures.push(nodesFigure(`${of}, at the end`, await countNodes(page)))
      }
      await page.close()
    }
    const [ours, limit] = [median(took.slice(1)), median(limits.slice(1))]
    figures.push(
      {
        ...{ name: of, unit: 'ms', ours: rounded(ours), limit: rounded(limit), ratio: rounded(ours / limit) },
        ...{ goal: GOAL_MS, ok: ours <= GOAL_MS },
      },
      nodesFigure(of, nodes),
    )
  }
  return figures
}

const nodesFigure = (name: string, nodes: number): Figure => ({
  ...{ name, unit: 'elements', ours: nodes, limit: GOAL_NODES, ratio: rounded(nodes / GOAL_NODES) },
  ...{ goal: GOAL_NODES, ok: nodes <= GOAL_NODES },
})
