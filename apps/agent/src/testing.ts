// For tests only: a real agent, in this process or as one of its own, that cleans up after itself.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { timing, type Timing } from '@restic-manager/contract/timing'
import { createLog, type Log } from '@restic-manager/runtime/log'
import { nodeEnvironment } from '@restic-manager/testkit/node-environment'
import { testProgram } from '../../../scripts/test-programs.ts'
import type { AgentConfig, LogLevel } from './config.ts'
import { enrolHost } from './enrol.ts'
import type { Fact } from './facts.ts'
import { startAgent as startInProcess, type RunningAgent } from './start.ts'
import { readStatus, type AgentStatus } from './status.ts'
import { openToRead } from './store.ts'
import type { TestClock } from './testing-clock.ts'
import { keepLog, refuseSecretsIn } from './testing-log.ts'

export { createTestClock, type TestClock } from './testing-clock.ts'
export {
  decideSlot,
  isTooLate,
  mayRunAlone,
  type SlotDecision,
  type SlotKnown,
  type SlotState,
} from './slot-decision.ts'

/** What an agent needs of a server to become one of its hosts. */
export type EnrollingServer = { url: string; createEnrolment(): Promise<string | { token: string }> }

export type AgentOptions = {
  /** True: a process of its own, which can be killed. */
  process?: boolean
  /** What Node is told for an agent of its own process. */
  nodeFlags?: readonly string[]
  /** The restic to run; the one on PATH when left out. */
  restic?: string
  /** A folder where ssh and rclone are looked for first. */
  programs?: string
  /** Dial here instead of the server's own address: a proxy in between. */
  url?: string
  name?: string
  /** The authority to trust for the server. */
  caPin?: string
  timing?: Partial<Timing>
  /** How much of its logs may wait on disk. Only for an agent in this process. */
  logBudget?: AgentConfig['logBudget']
  /** What the host allows. When left out a repository may be anywhere: those of tests lie in folders of their own. */
  policyFile?: string
  /** The time it lives in. One clock may be shared by many agents, also by ones in processes of their own. */
  clock?: TestClock
  /** A state directory of an agent that was stopped, to go on with. */
  stateDir?: string
  /** How much a process of its own tells, everything when left out; see `output`. What is told is searched for secrets at the end. */
  logLevel?: LogLevel
  log?: Log
}

export type TestAgent = AsyncDisposable & {
  readonly hostId: string
  readonly hostName: string
  readonly stateDir: string
  /** The agent's own process, when it has one. */
  pid(): number | undefined
  /** Everything its own process has logged so far. */
  output(): string
  status(): AgentStatus
  /** Every fact on disk, told or not, in the order of its lanes. */
  facts(): (Fact & { acked: boolean })[]
  /** An orderly stop. */
  stop(): Promise<void>
  /** SIGKILL, as a power cut would do. Only for a process of its own. */
  kill(): Promise<void>
  /** Starts it again on the same state directory after `stop` or `kill`. */
  restart(change?: Pick<AgentOptions, 'restic' | 'timing'>): Promise<void>
}

/** Enrols an agent with a fresh token and starts it. Disposing of it stops it and removes its state directory. */
export async function startAgent(server: EnrollingServer, options: AgentOptions = {}): Promise<TestAgent> {
  const url = options.url ?? server.url
  const stateDir = options.stateDir ?? mkdtempSync(join(tmpdir(), 'rm-agent-'))
  const made = options.stateDir === undefined ? await server.createEnrolment() : ''
  const token = typeof made === 'string' ? made : made.token
  const { enrolment } = await enrolHost({
    server: url,
    token,
    stateDir,
    name: options.name,
    allowPlainHttp: false,
    caPin: options.caPin,
  })

  let current = options
  const policyFile = options.policyFile ?? allowAnyPlace(stateDir)
  let running: { stop(): Promise<void>; kill(): Promise<void>; pid?: number | undefined } | undefined
  let output = ''
  const kept = keepLog()
  const start = async () => {
    running = current.process ? await startProgram() : await startHere()
  }

  async function startHere() {
    const config: AgentConfig = {
      stateDir,
      restic: current.restic,
      searchPath: process.env.PATH ?? '',
      programs: current.programs,
      policyFile,
      logLevel: 'silent',
      timing: { ...timing, ...current.timing },
      logBudget: current.logBudget,
    }
    const agent: RunningAgent = await startInProcess(config, current.log ?? kept.log, current.clock)
    return {
      stop: () => agent.stop(),
      kill: () => Promise.reject(new Error('only an agent with a process of its own can be killed')),
    }
  }

  async function startProgram() {
    const { clock, nodeFlags = [] } = current
    const program = await testProgram(clock === undefined ? 'agent' : 'agent-with-clock')
    const child: ChildProcess = spawn(
      process.execPath,
      clock === undefined
        ? [...nodeFlags, program, 'run', '--state-dir', stateDir]
        : [...nodeFlags, program, stateDir, String(clock.now())],
      {
        env: {
          ...nodeEnvironment,
          RM_TIMING: JSON.stringify(current.timing ?? {}),
          RM_LOG_LEVEL: current.logLevel ?? 'trace',
          RM_POLICY_FILE: policyFile,
          ...(current.restic === undefined ? {} : { RM_RESTIC: current.restic }),
          ...(current.programs === undefined ? {} : { RM_PROGRAMS: current.programs }),
        },
        stdio: ['ignore', 'ignore', 'pipe', ...(clock === undefined ? [] : ['ipc' as const])],
      },
    )
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
    const exited = once(child, 'exit')
    const unfollow = clock === undefined ? () => {} : await followClock(child, clock, exited)
    const end = async (signal: NodeJS.Signals) => {
      unfollow()
      child.kill(signal)
      await exited
    }
    return { stop: () => end('SIGTERM'), kill: () => end('SIGKILL'), pid: child.pid }
  }

  await start()
  return {
    hostId: enrolment.hostId,
    hostName: enrolment.hostName,
    stateDir,
    pid: () => running?.pid,
    output: () => output,
    status: () => readStatus({ stateDir, policyFile }, createLog({ level: 'silent' }), current.clock?.now()),
    facts: () => readFacts(stateDir),
    async stop() {
      await running?.stop()
      running = undefined
    },
    async kill() {
      await running?.kill()
      running = undefined
    },
    async restart(change = {}) {
      current = { ...current, ...change }
      await start()
    },
    async [Symbol.asyncDispose]() {
      await running?.stop()
      try {
        refuseSecretsIn(`${output}${kept.text()}`, stateDir)
      } finally {
        if (options.stateDir === undefined) rmSync(stateDir, { recursive: true, force: true })
      }
    },
  }
}

/** A policy as if nobody had thought of repositories: without it a local one may lie in the usual folder only. */
export function allowAnyPlace(folder: string): string {
  const file = join(folder, 'policy.json')
  writeFileSync(file, JSON.stringify({ repositories: ['**'] }))
  chmodSync(file, 0o644) // the umask of whoever runs the tests may be open
  return file
}

/** Moves of the clock reach the process, and it has done what falls due in them before the test goes on. */
async function followClock(child: ChildProcess, clock: TestClock, exited: Promise<unknown>) {
  await Promise.race([once(child, 'message'), exited])
  return clock.follow(async move => {
    if (!child.connected) return
    const moved = once(child, 'message')
    child.send(move)
    await Promise.race([moved, exited])
  })
}

function readFacts(stateDir: string): (Fact & { acked: boolean })[] {
  const store = openToRead(join(stateDir, 'state.db'))
  try {
    return store.all('select * from facts order by lane, seq').map(row => ({
      name: row.name,
      message: { ...(JSON.parse(String(row.payload)) as object), lane: row.lane, seq: row.seq },
      acked: row.acked_at !== null,
    })) as unknown as (Fact & { acked: boolean })[]
  } finally {
    store.close()
  }
}
