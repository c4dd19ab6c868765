// What an agent takes that waits for work: memory, CPU, and the time until it dials, against a bare Node that does as little.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startAgentProgram, stopProgram } from '../../../scripts/processes.ts'
import { type Figure, median, rounded } from './measure/figure.ts'
import { startFleet } from './measure/product.ts'
import { cpuSeconds, memoryBytes } from './measure/process-cost.ts'

const settleMs = 20_000
const idleSeconds = 60
const MB = 1e6

/**
 * Memory: resident, `settleMs` after it was connected, `runs` looks in turn with bare Node. CPU: over a minute of that. Start: from the
 * spawn until it dials its server, `runs` turns. Its code was compiled by an earlier start, as on any host but on its first day.
 */
export async function benchAgentIdle({ runs }: { runs: number }): Promise<Figure[]> {
  await using fleet = await startFleet()
  await fleet.restartAgent()
  const node = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' })
  const nodePid = node.pid ?? 0
  try {
    await pause(settleMs)
    const memory = { ours: [] as number[], bare: [] as number[] }
    for (let look = 0; look < runs; look += 1) {
      memory.ours.push(memoryBytes(fleet.agentPid()).resident / MB)
      memory.bare.push(memoryBytes(nodePid).resident / MB)
      await pause(1_000)
    }
    const before = { ours: cpuSeconds(fleet.agentPid()), bare: cpuSeconds(nodePid) }
    await pause(idleSeconds * 1_000)
    const percent = (pid: number, since: number) => ((cpuSeconds(pid) - since) / idleSeconds) * 100
    const cpu = { ours: percent(fleet.agentPid(), before.ours), bare: percent(nodePid, before.bare) }
    const start = await timeStarts(fleet.stateDir, path.join(fleet.folder, 'start'), runs)
    return [
      figure('agent-idle-memory', 'MB resident', memory, 65),
      figure('agent-idle-start', 'ms until it dials', start, 150),
      figure('agent-idle-cpu', '% of a core', { ours: [cpu.ours], bare: [cpu.bare] }, 0.5),
    ]
  } finally {
    node.kill()
  }
}

function figure(
  name: string,
  unit: string,
  { ours, bare }: { ours: number[]; bare: number[] },
  goal: number,
): Figure {
  const [mine, limit] = [median(ours), median(bare)]
  const ratio = limit === 0 ? 0 : rounded(mine / limit)
  return { name, unit, ours: rounded(mine), limit: rounded(limit), ratio, goal, ok: mine <= goal }
}

/** Milliseconds from the spawn until somebody knocks, in turns: the agent of that state directory, and a bare Node that dials at once. */
async function timeStarts(enrolledDir: string, stateDir: string, runs: number) {
  const callers = new Set<Socket>()
  const door = createServer(socket => void callers.add(socket.on('error', () => {})))
  door.listen(0, '127.0.0.1')
  await once(door, 'listening')
  const { port } = door.address() as AddressInfo
  await cp(enrolledDir, stateDir, { recursive: true, filter: file => !file.endsWith('agent.lock') })
  const enrolment = path.join(stateDir, 'enrolment.json')
  const text = await readFile(enrolment, 'utf8')
  await writeFile(enrolment, text.replace(/http:\/\/[^"]+/, `http://127.0.0.1:${port}`), { mode: 0o600 })
  const dial = `require('node:net').connect(${port}, '127.0.0.1'); setInterval(() => {}, 1e6)`
  const taken = { ours: [] as number[], bare: [] as number[] }
  try {
    // One more than is counted: the first compiles.
    for (let turn = -1; turn < runs; turn += 1) {
      let knocked = once(door, 'connection')
      let began = performance.now()
      const agent = await startAgentProgram('agent', stateDir, { quiet: true })
      await knocked
      if (turn >= 0) taken.ours.push(performance.now() - began)
      for (const caller of callers) caller.destroy()
      await stopProgram(agent)
      knocked = once(door, 'connection')
      began = performance.now()
      const node = spawn(process.execPath, ['-e', dial], { stdio: 'ignore' })
      await knocked
      if (turn >= 0) taken.bare.push(performance.now() - began)
      node.kill()
      await once(node, 'exit')
    }
  } finally {
    for (const caller of callers) caller.destroy()
    door.close()
    await rm(stateDir, { recursive: true, force: true })
  }
  return taken
}
