// What a server of years reads: every list, page, subscription and chore over growing tables, with a tenth of the records and with all of them.
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'
import {
  type BigFleet,
  expiryStep,
  growLogs,
  growSnapshots,
  growthReads,
  openBigFleet,
  openPlanReader,
} from '@restic-manager/server/testing'
import { type Figure, median, rounded } from './measure/figure.ts'

/** `blocks`: pages of 8 kB it looks at, with a tenth and with all. `scanned`: growing tables it reads from end to end. */
type GrowthFigure = Figure & { blocks: [tenth: number, whole: number]; scanned: string[] }

export type GrowthOptions = {
  runs: number
  scale: number
  hosts: number
  jobs: number
  snapshots: number
  logLines: number
  databaseDir: string | undefined
}

/** What a person at a page does not notice. */
const goalMs = 50
const warmUps = 2

type Look = { ms: number; blocks: number; scanned: string[] }

/**
 * Milliseconds, the middle of `runs` × 3: ours is with all records, the limit the same read with a tenth of them. Flat is a ratio of 1.
 * A read that goes through a growing table from end to end is not ok, however fast it is.
 */
export async function benchGrowth(options: GrowthOptions): Promise<Figure[]> {
  const { databaseDir, hosts, jobs, snapshots, logLines, scale, runs } = options
  const root = databaseDir ?? (await mkdtemp(join(os.tmpdir(), 'rm-bench-')))
  const looks: Map<string, Look>[] = []
  try {
    for (const share of [scale / 10, scale]) {
      const count = Math.round(jobs * share)
      const note = (sentence: string) => void process.stderr.write(`${count} jobs: ${sentence}\n`)
      await using fleet = await openBigFleet({
        ...{ hosts: Math.round(hosts * scale), jobs: count, note },
        dataDir: join(root, String(count)),
      })
      note('growing snapshots')
      await growSnapshots(fleet.db, Math.round(snapshots * share))
      note('growing logs')
      await growLogs(fleet.db, Math.round(logLines * share))
      const [load = 0] = os.loadavg()
      note(`PostgreSQL ${fleet.postgres}, load ${load.toFixed(1)}`)
      looks.push(await lookAt(fleet, runs))
    }
  } finally {
    if (databaseDir === undefined) await rm(root, { recursive: true, force: true })
  }
  const [tenth, whole] = looks
  return [...(whole ?? [])].map(([name, now]) => figureOf(name, tenth?.get(name) ?? now, now))
}

function figureOf(name: string, before: Look, now: Look): GrowthFigure {
  return {
    name: `growth ${name}`,
    unit: 'ms',
    ours: rounded(now.ms),
    limit: rounded(before.ms),
    ratio: rounded(now.ms / before.ms),
    goal: goalMs,
    ok: now.ms <= goalMs && now.scanned.length === 0,
    blocks: [before.blocks, now.blocks],
    scanned: now.scanned,
  }
}

async function lookAt({ db, seal, url, most, few }: BigFleet, runs: number): Promise<Map<string, Look>> {
  await using reader = openPlanReader(url)
  const looks = new Map<string, Look>()
  for (const [who, scope] of [
    ['whole fleet', undefined],
    [`tag ${most.join(' ')}`, most],
    [`tag ${few.join(' ')}`, few],
  ] as const)
    for (const [name, read] of Object.entries(await growthReads(db, seal, scope))) {
      const took: number[] = []
      for (let turn = -warmUps; turn < runs * 3; turn += 1) {
        const start = performance.now()
        await read(db, scope)
        if (turn >= 0) took.push(performance.now() - start)
      }
      const plans = await reader.plansOf(on => read(on, scope))
      looks.set(`${name}, ${who}`, {
        ms: median(took),
        blocks: plans.reduce((sum, { blocks }) => sum + blocks, 0),
        scanned: [...new Set(plans.flatMap(({ scanned }) => scanned))],
      })
    }
  const plans = await reader.plansOf(on => expiryStep(on, undefined))
  looks.set('a step over old jobs', {
    ms: plans.reduce((sum, { ms }) => sum + ms, 0),
    blocks: plans.reduce((sum, { blocks }) => sum + blocks, 0),
    scanned: plans.flatMap(({ scanned }) => scanned),
  })
  return looks
}
