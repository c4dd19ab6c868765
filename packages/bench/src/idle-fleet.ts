// Ten thousand connected agents that do nothing: what each costs the server in memory, and what their heartbeats and pings cost in CPU.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Figure, median, rounded } from './measure/figure.ts'
import { cpuSeconds, memoryBytes, treeCpuSeconds } from './measure/process-cost.ts'
import { profiled } from './wire/profiled.ts'
import { startCrowd } from './wire/crowd.ts'
import { startStand } from './wire/stand.ts'
import type { WireOptions } from './wire/options.ts'

const fullFleet = 10_000
const windowSeconds = 12
/** The engine is a while about what the coming-in left behind. */
const settleSeconds = 60
/** How long it keeps pages that a collection has emptied, and longer. */
const giveBackSeconds = 15
const goals = { memoryKb: 40, heapKb: 20, cpuPercent: 6 }

/** Both fleets are connected at once, so that each stretch of time is measured on both sides. */
export async function benchIdleFleet({ runs, scale, profileDir }: WireOptions): Promise<Figure[]> {
  const agents = Math.round(fullFleet * scale)
  await using stand = await startStand()
  await using ours = startCrowd(agents)
  await using bare = startCrowd(agents)
  const before = await memories()

  const began = performance.now()
  await ours.join({ url: stand.ours.url, count: agents, tokens: await stand.tokensFor(agents), beats: true })
  note(`${agents} agents came in within ${Math.round((performance.now() - began) / 1_000)} s`)
  await bare.join({ url: stand.bare.url, count: agents, beats: true })
  await sleep(settleSeconds * 1_000)
  const untouched = { ours: memoryBytes(stand.ours.pid), bare: memoryBytes(stand.bare.pid) }
  await memories()
  await sleep(giveBackSeconds * 1_000)
  const after = await memories()

  const share = { ours: [] as number[], bare: [] as number[], database: [] as number[] }
  await profiled(stand.ours, profileDir, 'idle-fleet', async () => {
    for (let run = 0; run < runs; run += 1) {
      const [start, at] = [costs(), performance.now()]
      await sleep(windowSeconds * 1_000)
      const [end, seconds] = [costs(), (performance.now() - at) / 1_000]
      for (const side of ['ours', 'bare', 'database'] as const)
        share[side].push(((end[side] - start[side]) / seconds) * 100)
    }
  })
  const still = await ours.look()
  if (still.in !== agents) throw new Error(`only ${still.in} of ${agents} agents are still connected`)

  const kbOf = (side: 'ours' | 'bare', what: 'rss' | 'heapUsed') =>
    (after[side][what] - before[side][what]) / agents / 1_000
  const cpu = figure(
    'idle-fleet CPU',
    '% of a core',
    { ours: median(share.ours), limit: median(share.bare) },
    // The goal is for the full fleet, and a smaller one may take as much less.
    rounded(goals.cpuPercent * scale),
  )
  return [
    figure(
      'idle-fleet memory',
      'KB an agent',
      both(side => kbOf(side, 'rss')),
      goals.memoryKb,
    ),
    // Not part of the goal: when the engine tidies up by itself is its own choice, and what is free is used for the next storm.
    figure(
      'idle-fleet memory, not tidied up',
      'KB an agent',
      both(side => (untouched[side].resident - before[side].rss) / agents / 1_000),
      Infinity,
    ),
    figure(
      'idle-fleet heap',
      'KB an agent',
      both(side => kbOf(side, 'heapUsed')),
      goals.heapKb,
    ),
    cpu,
    // Not part of the goal: the database may be another machine.
    {
      ...figure(
        'idle-fleet CPU of PostgreSQL',
        '% of a core',
        { ours: median(share.database), limit: 0 },
        Infinity,
      ),
      ratio: 0,
    },
  ]

  async function memories() {
    return {
      ours: await stand.ours.probe({ probe: 'memory' }),
      bare: await stand.bare.probe({ probe: 'memory' }),
    }
  }
  function costs() {
    return {
      ours: cpuSeconds(stand.ours.pid),
      bare: cpuSeconds(stand.bare.pid),
      database: treeCpuSeconds(stand.databasePid),
    }
  }
}

const note = (sentence: string) => void process.stderr.write(`${sentence}\n`)
const both = (read: (side: 'ours' | 'bare') => number) => ({ ours: read('ours'), limit: read('bare') })

function figure(
  name: string,
  unit: string,
  { ours, limit }: { ours: number; limit: number },
  goal: number,
): Figure {
  return {
    ...{ name, unit, goal, ok: ours <= goal },
    ...{ ours: rounded(ours), limit: rounded(limit), ratio: rounded(ours / limit) },
  }
}
