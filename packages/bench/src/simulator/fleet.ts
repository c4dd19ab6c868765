// A fleet of simulated agents in processes of their own, so that their work does not hide in the server's.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { cpuSeconds } from '../measure/process-cost.ts'
import type { StormBooks, StormJoin, StormOrder, StormStanding } from './fleet-process.ts'

/** Each agent may hold two connections for a moment, and a process may open 20,000 files on many systems. */
const MOST_IN_ONE = 2_500

export type StormFleet = AsyncDisposable & {
  /** Enrols them and waits until all have a name. Getting in is another matter. */
  join(
    options: Omit<StormJoin, 'hosts'> & { tokens: readonly string[]; eachFromItsOwn: boolean },
  ): Promise<void>
  /** The repositories of the hosts, in their order. */
  work(repositoryIds: readonly string[]): Promise<void>
  look(): Promise<StormStanding>
  tell(): Promise<StormBooks>
  /** Seconds of CPU that all of them have used so far. */
  cpuSeconds(): number
}

/** Starts processes for that many agents, who are not enrolled yet. */
export function startStormFleet(agents: number): StormFleet {
  const parts = Array.from({ length: Math.ceil(agents / MOST_IN_ONE) }, (_, part) => {
    const first = part * MOST_IN_ONE
    const child = fork(path.join(import.meta.dirname, 'fleet-process.ts'))
    return { child, first, count: Math.min(MOST_IN_ONE, agents - first) }
  })

  async function askAll<Answer>(order: (part: { first: number; count: number }) => StormOrder) {
    return Promise.all(parts.map(async part => (await ask(part.child, order(part))) as Answer))
  }

  return {
    async join({ tokens, eachFromItsOwn, ...options }) {
      const hostOf = (number: number) => ({
        hostname: `storm-${String(number).padStart(5, '0')}`,
        token: tokens[number % tokens.length] ?? '',
        localAddress: eachFromItsOwn ? loopbackOf(number) : undefined,
      })
      await askAll(({ first, count }) => ({
        ...{ do: 'join', ...options, everyMs: options.everyMs * parts.length },
        hosts: Array.from({ length: count }, (_, place) => hostOf(first + place)),
      }))
    },
    async work(repositoryIds) {
      await askAll(({ first, count }) => ({
        do: 'work',
        repositoryIds: repositoryIds.slice(first, first + count),
      }))
    },
    async look() {
      const all = await askAll<StormStanding>(() => ({ do: 'look' }))
      const sum = (read: (one: StormStanding) => number) => all.reduce((total, one) => total + read(one), 0)
      return {
        in: sum(one => one.in),
        openJobs: sum(({ openJobs }) => openJobs),
        waitingFacts: sum(({ waitingFacts }) => waitingFacts),
        dials: sum(({ dials }) => dials),
        mostDials: Math.max(...all.map(({ mostDials }) => mostDials)),
        turnedAway: sum(({ turnedAway }) => turnedAway),
        failed: sum(({ failed }) => failed),
      }
    },
    async tell() {
      const all = await askAll<StormBooks>(() => ({ do: 'tell' }))
      const sum = (read: (one: StormBooks) => number) => all.reduce((total, one) => total + read(one), 0)
      return {
        facts: sum(({ facts }) => facts),
        acked: sum(({ acked }) => acked),
        setAside: sum(({ setAside }) => setAside),
        jobs: all.flatMap(({ jobs }) => jobs),
      }
    },
    cpuSeconds: () => parts.reduce((total, { child }) => total + cpuSeconds(child.pid ?? 0), 0),
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
async function ask(child: ChildProcess, order: StormOrder): Promise<unknown> {
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
