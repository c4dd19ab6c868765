// A day of a million lines of logs that goes: dropped as the server drops it, and the same rows deleted and cleared up after.
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { openLogStore } from '@restic-manager/server/testing'
import { type Figure, median, rounded } from './measure/figure.ts'
import { blocksOf, makeLine, makeShare } from './measure/log-lines.ts'

const fullLines = 1_000_000
const jobsOfTheDay = 20
const firstDay = Date.UTC(2026, 0, 5)
const dayOf = (turn: number) => new Date(firstDay + turn * 86_400_000).toISOString().slice(0, 10)

/** Milliseconds. Ours: one round of the chore, all it looks at included. The limit: `delete` and `vacuum` of a copy of that day. */
export async function benchLogDropDay({ runs, scale }: { runs: number; scale: number }): Promise<Figure[]> {
  const folder = await mkdtemp(join(os.tmpdir(), 'rm-bench-'))
  try {
    await using store = await openLogStore(join(folder, 'server'))
    const { db } = store
    const share = makeShare(1)
    const each = Math.round((fullLines * scale) / jobsOfTheDay)
    const lines = Array.from({ length: each }, () => makeLine(share))
    const took = { ours: [] as number[], limit: [] as number[] }
    for (let turn = 0; turn < runs; turn += 1) {
      const day = dayOf(turn)
      for (let job = 0; job < jobsOfTheDay; job += 1)
        for (const block of blocksOf(await store.newJob(day), `${day}T01:00:00.000Z`, lines))
          await store.append(block)
      await db.execute(sql`create table bench_days (like log_blocks including all)`)
      await db.execute(sql`insert into bench_days select * from log_blocks where day = ${day}`)
      await db.execute(sql`vacuum analyze bench_days`)
      await db.execute(sql`checkpoint`)
      took.ours.push(await timed(() => store.dropOldDays(30)))
      if ((await store.bytesOf(day)) > 0) throw new Error(`${day} is still there.`)
      await db.execute(sql`checkpoint`)
      took.limit.push(
        await timed(async () => {
          await db.execute(sql`delete from bench_days where day = ${day}`)
          await db.execute(sql`vacuum bench_days`)
        }),
      )
      await db.execute(sql`drop table bench_days`)
    }
    const [ours, limit] = [median(took.ours), median(took.limit)]
    return [
      {
        name: 'log-drop-day',
        unit: 'ms',
        ...{ ours: rounded(ours), limit: rounded(limit), ratio: rounded(ours / limit) },
        ...{ goal: 1, ok: ours <= limit },
      },
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}
