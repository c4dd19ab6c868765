// What an idle server takes, against a bare Node that waits in the same run.
import { spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import { startFleet } from './measure/product.ts'
import { type Figure, median, rounded } from './measure/figure.ts'
import { memoryBytes } from './measure/process-cost.ts'

const settleMs = 20_000
const MB = 1e6

/** Resident memory in MB after `settleMs` of quiet: one server with one host, and bare Node beside it. */
export async function benchIdleMemory({ runs }: { runs: number }): Promise<Figure[]> {
  await using fleet = await startFleet()
  const node = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' })
  try {
    await pause(settleMs)
    const looks = { server: [] as number[], node: [] as number[] }
    for (let look = 0; look < runs; look += 1) {
      looks.server.push(memoryBytes(fleet.serverPid).resident)
      looks.node.push(memoryBytes(node.pid ?? 0).resident)
      await pause(1_000)
    }
    const bare = median(looks.node)
    const bytes = median(looks.server)
    return [
      {
        name: 'idle-server-memory',
        unit: 'MB resident',
        ours: rounded(bytes / MB),
        limit: rounded(bare / MB),
        ratio: rounded(bytes / bare),
        goal: 120,
        ok: bytes / MB <= 120,
      },
    ]
  } finally {
    node.kill()
  }
}
