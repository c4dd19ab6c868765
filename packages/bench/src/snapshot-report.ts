// How long the server's event loop stands still while a host reports ten thousand snapshots of a repository with a million.
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { openSnapshotStore } from '@restic-manager/server/testing'
import { type Figure, median, rounded } from './measure/figure.ts'

const inRepository = 1_000_000
const reported = 10_000
const otherHosts = 200
const GOAL_MS = 50

/**
 * The longest stall of each of `runs` reports, the middle of them, in ms: parsing the frames, checking and keeping each page, and swapping
 * the list in. Every report has a few snapshots more than the one before. `limit`: the longest stall of as long a time with nothing to do.
 */
export async function benchSnapshotReport({
  runs,
  scale,
}: {
  runs: number
  scale: number
}): Promise<Figure[]> {
  const folder = await mkdtemp(join(os.tmpdir(), 'rm-bench-'))
  try {
    await using store = await openSnapshotStore(join(folder, 'server'))
    await store.fill(Math.round(inRepository * scale), otherHosts)
    const stalls = { ours: [] as number[], idle: [] as number[] }
    const took: number[] = []
    // One more than is counted: the first compiles, and fills what was empty.
    for (let run = 0; run <= runs; run += 1) {
      const count = Math.round(reported * scale) + run
      const frames = store.report(count)
      const start = performance.now()
      const longest = await longestStall(async () => {
        for (const frame of frames) await store.keep(frame)
      })
      const ms = performance.now() - start
      if ((await store.held()) !== count) throw new Error(`The mirror does not hold ${count} snapshots.`)
      const idle = await longestStall(() => pause(ms))
      if (run === 0) continue
      stalls.ours.push(longest)
      stalls.idle.push(idle)
      took.push(ms)
    }
    process.stderr.write(`a report took ${median(took).toFixed(0)} ms\n`)
    const [ours, limit] = [median(stalls.ours), median(stalls.idle)]
    return [
      {
        ...{ name: 'snapshot-report', unit: 'ms the event loop stood still', ours: rounded(ours) },
        ...{ limit: rounded(limit), ratio: rounded(ours / limit), goal: GOAL_MS, ok: ours <= GOAL_MS },
      },
    ]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function longestStall(work: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  await work()
  await pause(5) // a stall is noted by the tick after it
  delay.disable()
  return delay.max / 1e6
}
