// What an idle server and an idle agent take, against a bare Node that waits in the same run.
import { spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { startFleet } from './measure/product.ts'
import { type Figure, median, rounded } from './measure/figure.ts'
import { memoryBytes } from './measure/process-cost.ts'

const settleMs = 20_000
const MB = 1e6

/** Resident memory in MB after `settleMs` of quiet: one server with one host, its agent, and bare Node beside them. */
export async function benchIdleMemory({ runs }: { runs: number }): Promise<Figure[]> {
  await using fleet = await startFleet()
  const node = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' })
  try {
    await pause(settleMs)
    const looks = { server: [] as number[], agent: [] as number[], node: [] as number[] }
    for (let look = 0; look < runs; look += 1) {
      looks.server.push(memoryBytes(fleet.serverPid).resident)
      looks.agent.push(memoryBytes(fleet.agentPid).resident)
      looks.node.push(memoryBytes(node.pid ?? 0).resident)
      await pause(1_000)
    }
    const bare = median(looks.node)
    const figure = (name: string, bytes: number, goal: number): Figure => ({
      name,
      unit: 'MB resident',
      ours: rounded(bytes / MB),
      limit: rounded(bare / MB),
      ratio: rounded(bytes / bare),
      goal,
      ok: bytes / MB <= goal,
    })
    return [
      figure('idle-server-memory', median(looks.server), 120),
      figure('idle-agent-memory', median(looks.agent), 65),
    ]
  } finally {
    node.kill()
  }
}
