// What one line of a log costs the server's CPU on its way from an agent's socket to the database, in blocks, against a bare echo of each line.
import { newId } from '@restic-manager/contract/ids'
import { LogAnswer } from '@restic-manager/contract/log'
import { toInstant } from '@restic-manager/contract/scalars'
import { type Figure, median, rounded } from './measure/figure.ts'
import { blocksOf, makeLine, makeShare } from './measure/log-lines.ts'
import { cpuSeconds, treeCpuSeconds } from './measure/process-cost.ts'
import type { SimulatedLink } from './simulator/link.ts'
import { startCrowd } from './wire/crowd.ts'
import { openLoneAgent } from './wire/lone-agent.ts'
import { profiled } from './wire/profiled.ts'
import { startStand } from './wire/stand.ts'
import type { WireOptions } from './wire/options.ts'

/** Agents that speak at the same time, of one block in flight each. */
const agents = 4
const fullLines = 400_000
/** A frame each costs more, and says the same after fewer. */
const echoShare = 0.1
const goal = 0.15
const anything = { parse: (value: unknown) => value }

/** Microseconds of CPU a line of 120 characters: the server with everything it does for a block, the echo with its frame only. */
export async function benchLogLine({ runs, scale, profileDir }: WireOptions): Promise<Figure[]> {
  await using stand = await startStand()
  await using bare = startCrowd(agents)
  await bare.join({ url: stand.bare.url, count: agents })
  const [token = ''] = await stand.tokensFor(agents)
  const links = await Promise.all(
    Array.from({ length: agents }, (_, at) => openLoneAgent(stand.ours.url, token, `speaker-${at}`)),
  )
  const share = makeShare(1)
  const each = Math.max(1, Math.round((fullLines * scale) / agents))
  const lines = Array.from({ length: each }, () => makeLine(share))
  const times = Math.max(1, Math.round(each * echoShare))
  const [line] = lines
  let seq = 0

  async function speak(link: SimulatedLink) {
    const jobId = newId()
    const startedAt = toInstant(Date.now())
    seq += 1
    await link.call(
      'job.started',
      {
        ...{ jobId, kind: 'backup', repositoryId: newId(), startedAt, command: 'restic backup' },
        ...{ resticVersion: '0.18.0', lane: 'rest', seq, occurredAt: startedAt },
      },
      anything,
    )
    for (const block of blocksOf(jobId, startedAt, lines)) {
      const { nextSeq } = await link.call('log.stream', block, LogAnswer)
      if (nextSeq !== block.firstSeq + block.count) throw new Error('the server did not take a block')
    }
  }
  const sides = {
    async ours() {
      const before = { server: cpuSeconds(stand.ours.pid), database: treeCpuSeconds(stand.databasePid) }
      await Promise.all(links.map(speak))
      const all = 1e6 / (agents * each)
      took.ours.push((cpuSeconds(stand.ours.pid) - before.server) * all)
      took.database.push((treeCpuSeconds(stand.databasePid) - before.database) * all)
    },
    async limit() {
      const before = cpuSeconds(stand.bare.pid)
      await bare.call({ path: 'log.stream', input: { line }, times, calls: 4 })
      took.limit.push(((cpuSeconds(stand.bare.pid) - before) * 1e6) / (agents * times))
    },
  }
  const took = { ours: [] as number[], limit: [] as number[], database: [] as number[] }
  // Compiled code is what counts.
  await sides.ours()
  await sides.limit()
  for (const side of Object.values(took)) side.length = 0
  await profiled(stand.ours, profileDir, 'log-line', async () => {
    for (let run = 0; run < runs; run += 1) {
      await sides.ours()
      await sides.limit()
    }
  })
  for (const link of links) link.cut()
  const [ours, limit] = [median(took.ours), median(took.limit)]
  const database = median(took.database)
  return [
    {
      ...{ name: 'log-line', unit: 'µs of server CPU a line' },
      ...{ ours: rounded(ours), limit: rounded(limit), ratio: rounded(ours / limit) },
      ...{ goal, ok: ours / limit <= goal },
    },
    // Not part of the goal: the database may be another machine.
    {
      ...{ name: 'log-line, PostgreSQL', unit: 'µs of its CPU a line' },
      ...{ ours: rounded(database), limit: 0, ratio: 0, goal: Infinity, ok: true },
    },
  ]
}
