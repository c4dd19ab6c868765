// What pages read of a large fleet, the Overview and the lists, with few records and with many: unscoped, and for who is limited to a tag.
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'
import { type BigFleet, listReads, oneRow, openBigFleet, overviewRead } from '@restic-manager/server/testing'
import { type Figure, median, rounded } from './measure/figure.ts'
import { cpuSeconds, treeCpuSeconds } from './measure/process-cost.ts'

/** `cpuMs`: what one answer costs the database and this process together, whatever else the machine does meanwhile. */
type ReadFigure = Figure & { cpuMs: number }

/** What a person at a page does not notice. */
const goalMs = 50
const warmUps = 3

export type FleetReadsOptions = {
  runs: number
  scale: number
  hosts: number
  jobs: number
  databaseDir: string | undefined
}

/** The Overview in one answer, milliseconds: the middle of `runs` × 5. The limit is one row by its key, read in turn with it. */
export const benchOverview = (options: FleetReadsOptions): Promise<Figure[]> =>
  eachFleet(options, fleet => measure({ overview: overviewRead }, fleet, options.runs))

/** The first page of each list, by each filter, measured in the same way. */
export const benchLists = (options: FleetReadsOptions): Promise<Figure[]> =>
  eachFleet(options, async fleet => measure(await listReads(fleet.db, 'web'), fleet, options.runs))

/** `databaseDir` holds a folder for each number of jobs, made where it is missing and kept; without it all are made anew and removed. */
async function eachFleet(
  { hosts, jobs, scale, databaseDir }: FleetReadsOptions,
  work: (fleet: BigFleet) => Promise<ReadFigure[]>,
): Promise<ReadFigure[]> {
  const root = databaseDir ?? (await mkdtemp(join(os.tmpdir(), 'rm-bench-')))
  const figures: ReadFigure[] = []
  try {
    for (const count of [jobs / 10, jobs]) {
      const size = { hosts: Math.round(hosts * scale), jobs: Math.round(count * scale) }
      const note = (sentence: string) => void process.stderr.write(`${size.jobs} jobs: ${sentence}\n`)
      await using fleet = await openBigFleet({ ...size, dataDir: join(root, String(size.jobs)), note })
      const [load = 0] = os.loadavg()
      note(`PostgreSQL ${fleet.postgres}, load ${load.toFixed(1)}`)
      for (const figure of await work(fleet))
        figures.push({ ...figure, name: `${figure.name}, ${size.jobs} jobs` })
    }
  } finally {
    if (databaseDir === undefined) await rm(root, { recursive: true, force: true })
  }
  return figures
}

async function measure(
  reads: Awaited<ReturnType<typeof listReads>>,
  { db, most, few, postgresPid }: BigFleet,
  runs: number,
): Promise<ReadFigure[]> {
  const cpu = () => treeCpuSeconds(postgresPid) + cpuSeconds(process.pid)
  const figures: ReadFigure[] = []
  for (const [name, read] of Object.entries(reads))
    for (const scope of [undefined, most, few]) {
      const took = { ours: [] as number[], limit: [] as number[] }
      let before = cpu()
      for (let turn = -warmUps; turn < runs * 5; turn += 1) {
        if (turn === 0) before = cpu()
        const ours = await timed(() => read(db, scope))
        const limit = await timed(() => oneRow(db, scope))
        if (turn < 0) continue
        took.ours.push(ours)
        took.limit.push(limit)
      }
      const cpuMs = ((cpu() - before) / (runs * 5)) * 1_000
      const [ours, limit] = [median(took.ours), median(took.limit)]
      figures.push({
        name: `${name}, ${scope === undefined ? 'whole fleet' : `tag ${scope.join(' ')}`}`,
        unit: 'ms',
        ...{ ours: rounded(ours), limit: rounded(limit), ratio: rounded(ours / limit) },
        ...{ goal: goalMs, ok: ours <= goalMs, cpuMs: rounded(cpuMs) },
      })
    }
  return figures
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}
