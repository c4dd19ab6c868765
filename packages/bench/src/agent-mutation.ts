// One call of an agent that costs no statement, a heartbeat: what the wire, the checks and the middlewares cost against a bare echo.
import { type Figure, median, rounded } from './measure/figure.ts'
import { cpuSeconds } from './measure/process-cost.ts'
import { startCrowd } from './wire/crowd.ts'
import { profiled } from './wire/profiled.ts'
import { type Side, startStand } from './wire/stand.ts'
import type { WireOptions } from './wire/options.ts'

const agents = 50
/** One after another, as facts are told, and several under way at once. */
const callsAtOnce = [1, 4]
const fullTimes = 1_000
const goal = 1.6

/** Microseconds of the server's CPU for one call, ours and the echo in turn, with the same message over as many connections. */
export async function benchAgentMutation({ runs, scale, profileDir }: WireOptions): Promise<Figure[]> {
  await using stand = await startStand()
  await using ours = startCrowd(agents)
  await using bare = startCrowd(agents)
  await ours.join({ url: stand.ours.url, count: agents, tokens: await stand.tokensFor(agents) })
  await bare.join({ url: stand.bare.url, count: agents })
  const times = Math.max(1, Math.round(fullTimes * scale))
  const input = { sentAt: new Date().toISOString(), spool: { facts: 0, logBytes: 0 } }
  type Call = Parameters<typeof ours.call>[0]

  async function microsecondsOf({ pid }: Side, crowd: typeof ours, call: Call) {
    const before = cpuSeconds(pid)
    await crowd.call(call)
    return ((cpuSeconds(pid) - before) / (agents * times)) * 1e6
  }
  const figures: Figure[] = []
  for (const calls of callsAtOnce) {
    const call = { path: 'agent.heartbeat', input, times, calls }
    // Compiled code is what counts.
    for (let round = 0; round < 2; round += 1) {
      await ours.call(call)
      await bare.call(call)
    }
    const took = { ours: [] as number[], limit: [] as number[] }
    await profiled(stand.ours, profileDir, `agent-mutation-${calls}`, async () => {
      for (let run = 0; run < runs; run += 1) {
        took.ours.push(await microsecondsOf(stand.ours, ours, call))
        took.limit.push(await microsecondsOf(stand.bare, bare, call))
      }
    })
    const [one, limit] = [median(took.ours), median(took.limit)]
    figures.push({
      ...{ name: `agent-mutation, ${calls} at once`, unit: 'µs of server CPU' },
      ...{
        ours: rounded(one),
        limit: rounded(limit),
        ratio: rounded(one / limit),
        goal,
        ok: one / limit <= goal,
      },
    })
  }
  return figures
}
