// The database that comes along: its first start, a later one, and its memory, against the same PostgreSQL without anything around it.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'
import { openDatabase, ownPostgres, startEmbedded } from '@restic-manager/server/testing'
import { sql } from 'drizzle-orm'
import { type Figure, median, rounded } from './measure/figure.ts'
import { treeMemoryBytes } from './measure/process-cost.ts'

const MB = 1e6
const goals = { firstMs: 1_500, laterMs: 300, memoryMB: 64 }

type Looks = { first: number[]; later: number[]; memory: number[] }

/**
 * Until the database answers, in milliseconds, and what all its processes take with one connection open. The limit is `initdb` and
 * `postgres` with `fsync = off` and their own other settings, in turn with ours.
 */
export async function benchEmbeddedDatabase({ runs }: { runs: number }): Promise<Figure[]> {
  const ours: Looks = { first: [], later: [], memory: [] }
  const limit: Looks = { first: [], later: [], memory: [] }
  for (let run = 0; run < runs; run += 1) {
    await lookAtOurs(ours)
    await lookAtBare(limit)
  }
  const figure = (name: string, unit: string, of: keyof Looks, goal: number): Figure => {
    const [mine, bare] = [median(ours[of]), median(limit[of])]
    return {
      ...{ name: `embedded-database ${name}`, unit, ours: rounded(mine), limit: rounded(bare) },
      ...{ ratio: rounded(mine / bare), goal, ok: mine <= goal },
    }
  }
  return [
    figure('first start', 'ms', 'first', goals.firstMs),
    figure('later start', 'ms', 'later', goals.laterMs),
    figure('memory', 'MB', 'memory', goals.memoryMB),
  ]
}

async function lookAtOurs(looks: Looks): Promise<void> {
  const dataDir = await mkdtemp(join(os.tmpdir(), 'rm-bench-'))
  try {
    const start = async (times: number[]) => {
      const begun = performance.now()
      const database = await startEmbedded({ dataDir, role: 'server' })
      await answered(database.url, async () => {
        times.push(performance.now() - begun)
        if (times === looks.later) looks.memory.push(await memoryOf(join(dataDir, 'postgres')))
      })
      await database.stop()
    }
    await start(looks.first)
    await start(looks.later)
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
}

async function lookAtBare(looks: Looks): Promise<void> {
  const folder = await mkdtemp(join(os.tmpdir(), 'rm-bench-'))
  try {
    const begun = performance.now()
    await using bare = await ownPostgres({ folder, settings: { shared_buffers: '128MB' } })
    await answered(bare.url, async () => void looks.first.push(performance.now() - begun))
    await bare.stop()
    const again = performance.now()
    await bare.start()
    await answered(bare.url, async () => {
      looks.later.push(performance.now() - again)
      looks.memory.push(await memoryOf(join(folder, 'data')))
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function answered(url: string, then: () => Promise<void>): Promise<void> {
  const { db, close } = openDatabase(url, { max: 1 })
  await db.execute(sql`select 1`)
  await then()
  await close()
}

/** MB of the processes of the PostgreSQL that runs on this folder. */
async function memoryOf(folder: string): Promise<number> {
  const pid = Number.parseInt(await readFile(join(folder, 'postmaster.pid'), 'utf8'), 10)
  return treeMemoryBytes(pid) / MB
}
