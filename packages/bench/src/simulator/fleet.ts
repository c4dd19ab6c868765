// A fleet of simulated agents in processes of their own, so that their work does not hide in the server's.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { cpuSeconds } from '../measure/process-cost.ts'
import { addBooks } from './fleet-books.ts'
import type { FleetBooks, FleetJoin, FleetOrder, FleetStanding } from './fleet-orders.ts'
import type { SimulatedRecord } from './record.ts'

/** Each agent may hold two connections for a moment, a balancer as many again, and a process may open 20,000 files on many systems. */
const MOST_IN_ONE = 2_500
/** Books shown in one message: whole logs are in them. */
const SHOWN_AT_ONCE = 250

export type SimulatedFleet = AsyncDisposable & {
  readonly agents: number
  /** Enrols them and waits until all have a name. Getting in is another matter. */
  join(
    options: Omit<FleetJoin, 'hosts'> & {
      tokens: readonly string[]
      eachFromItsOwn: boolean
      nameOf(number: number): string
    },
  ): Promise<void>
  /** The repositories of the hosts, in their order. */
  work(repositoryIds: readonly string[], spreadMs?: number): Promise<void>
  countAnew(): Promise<void>
  cutOff(): Promise<void>
  reconnect(): Promise<void>
  look(): Promise<FleetStanding>
  tell(): Promise<FleetBooks>
  /** The whole books of all, for the checker. */
  show(): Promise<SimulatedRecord[]>
  /** Seconds of CPU that all of them have used so far; 0 where the system does not say. */
  cpuSeconds(): number
}

/** Starts processes for that many agents, who are not enrolled yet. */
export function startFleet(agents: number): SimulatedFleet {
  const parts = Array.from({ length: Math.ceil(agents / MOST_IN_ONE) }, (_, part) => {
    const first = part * MOST_IN_ONE
    const child = fork(path.join(import.meta.dirname, 'fleet-process.ts'))
    return { child, first, count: Math.min(MOST_IN_ONE, agents - first) }
  })

  async function askAll<Answer>(order: (part: { first: number; count: number }) => FleetOrder) {
    return Promise.all(parts.map(async part => (await ask(part.child, order(part))) as Answer))
  }

  return {
    agents,
    async join({ tokens, eachFromItsOwn, nameOf, ...options }) {
      const hostOf = (number: number) => ({
        hostname: nameOf(number),
        token: tokens[number % tokens.length] ?? '',
        localAddress: eachFromItsOwn ? loopbackOf(number) : undefined,
      })
      await askAll(({ first, count }) => ({
        ...{ do: 'join', ...options, everyMs: options.everyMs * parts.length },
        hosts: Array.from({ length: count }, (_, place) => hostOf(first + place)),
      }))
    },
    async work(repositoryIds, spreadMs = 0) {
      await askAll(({ first, count }) => ({
        ...{ do: 'work', spreadMs },
        repositoryIds: repositoryIds.slice(first, first + count),
      }))
    },
    countAnew: async () => void (await askAll(() => ({ do: 'countAnew' }))),
    cutOff: async () => void (await askAll(() => ({ do: 'cutOff' }))),
    reconnect: async () => void (await askAll(() => ({ do: 'reconnect' }))),
    async look() {
      const all = await askAll<FleetStanding>(() => ({ do: 'look' }))
      const sum = (name: keyof FleetStanding) => all.reduce((total, one) => total + one[name], 0)
      return {
        ...{ in: sum('in'), planned: sum('planned'), jobs: sum('jobs'), openJobs: sum('openJobs') },
        ...{ waitingFacts: sum('waitingFacts'), unsentLogs: sum('unsentLogs'), dials: sum('dials') },
        ...{ turnedAway: sum('turnedAway'), failed: sum('failed') },
        mostDials: Math.max(...all.map(({ mostDials }) => mostDials)),
      }
    },
    tell: async () => addBooks(await askAll<FleetBooks>(() => ({ do: 'tell' }))),
    async show() {
      const shown: SimulatedRecord[] = []
      for (const { child, count } of parts)
        for (let from = 0; from < count; from += SHOWN_AT_ONCE) {
          const order = { do: 'show', from, most: SHOWN_AT_ONCE } as const
          shown.push(...((await ask(child, order)) as SimulatedRecord[]))
        }
      return shown
    },
    cpuSeconds: () =>
      process.platform === 'linux'
        ? parts.reduce((total, { child }) => total + cpuSeconds(child.pid ?? 0), 0)
        : 0,
    async [Symbol.asyncDispose]() {
      await Promise.all(
        parts.map(async ({ child }) => {
          if (child.exitCode !== null || child.signalCode !== null) return
          const gone = once(child, 'exit')
          child.kill('SIGKILL')
          await gone
        }),
      )
    },
  }
}

/** Linux takes all of 127.0.0.0/8 for this machine. */
const loopbackOf = (number: number) => `127.1.${Math.floor(number / 250)}.${1 + (number % 250)}`

/** Gives one order and waits for its answer. Orders to one process are given one after another. */
async function ask(child: ChildProcess, order: FleetOrder): Promise<unknown> {
  const heard = new AbortController()
  const { signal } = heard
  try {
    child.send(order)
    const [said] = await Promise.race([
      once(child, 'message', { signal }),
      once(child, 'exit', { signal }).then(([code, by]) => {
        throw new Error(`a process of agents ended (${by ?? `exit ${code}`})`)
      }),
    ])
    const { answer, error } = said as { answer?: unknown; error?: string }
    if (error !== undefined) throw new Error(error)
    return answer
  } finally {
    heard.abort()
  }
}
