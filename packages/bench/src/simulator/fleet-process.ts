// A process full of simulated agents. It is told over its channel to let them join, to let them work, and to say how they stand.
import { newId } from '@restic-manager/contract/ids'
import { setTimeout as sleep } from 'node:timers/promises'
import { startSimulatedAgent } from './agent.ts'
import type { LinkEvent, SimulatedAgent } from './agent-options.ts'
import { startBalancer } from './balancer.ts'
import type { FleetAnswer, FleetBooks, FleetJoin, FleetOrder, FleetStanding } from './fleet-orders.ts'
import { booksOf } from './fleet-books.ts'

type Guest = {
  agent: SimulatedAgent
  isIn: boolean
  /** When it came in last, in Unix milliseconds. */
  inAt: number
  dials: number
  turnedAway: number
  failed: number
}

const guests: Guest[] = []

/** Joins under way at once. */
const AT_ONCE = 16

/** Where the agents of this process dial: the server, or a balancer of this process before several. */
async function doorTo([first = '', ...others]: readonly string[]): Promise<string> {
  if (others.length === 0) return first
  // Each host keeps its address, as behind a balancer that servers trust.
  const balancer = await startBalancer(Math.random, { keepsAddress: process.platform === 'linux' })
  balancer.lead([first, ...others].map(url => Number(new URL(url).port)))
  return `http://127.0.0.1:${balancer.port}`
}

async function join({ urls, hosts, everyMs, timing, behaviour }: FleetJoin) {
  const url = await doorTo(urls)
  const began = performance.now()
  const waiting = [...hosts.entries()]
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [place, { hostname, token, localAddress }] = next
        await sleep(Math.max(0, began + place * everyMs - performance.now()))
        const counts = { isIn: false, inAt: 0, dials: 0, turnedAway: 0, failed: 0 }
        const agent = await startSimulatedAgent({
          ...{ url, token, hostname, timing, behaviour, random: Math.random },
          ...(localAddress === undefined ? {} : { localAddress }),
          onLink: event => note(counts, event),
        })
        guests[place] = Object.assign(counts, { agent })
      }
    }),
  )
}

function note(guest: Omit<Guest, 'agent'>, event: LinkEvent) {
  switch (event) {
    case 'dialled':
      guest.dials += 1
      return
    case 'turnedAway':
      guest.turnedAway += 1
      return
    case 'failed':
      guest.failed += 1
      return
    case 'in':
      guest.isIn = true
      guest.inAt = Date.now()
      return
    case 'out':
      guest.isIn = false
  }
}

/** Dials are counted anew from here. */
function countAnew() {
  for (const guest of guests) Object.assign(guest, { dials: 0, turnedAway: 0, failed: 0 })
}

/** Each begins its backup at its own moment within the time given. */
function work(repositoryIds: readonly string[], spreadMs: number) {
  for (const [place, { agent }] of guests.entries()) {
    const begin = () =>
      agent.runAlone({ jobId: newId(), kind: 'backup', repositoryId: repositoryIds[place] ?? '' })
    if (spreadMs === 0) begin()
    else setTimeout(begin, Math.random() * spreadMs)
  }
}

const sum = (read: (guest: Guest) => number) => guests.reduce((total, guest) => total + read(guest), 0)

function look(): FleetStanding {
  const standings = guests.map(({ agent }) => agent.standing())
  const all = (name: 'planned' | 'jobs' | 'openJobs' | 'waitingFacts' | 'unsentLogs') =>
    standings.reduce((total, standing) => total + standing[name], 0)
  return {
    in: sum(({ isIn }) => Number(isIn)),
    ...{ planned: all('planned'), jobs: all('jobs'), openJobs: all('openJobs') },
    ...{ waitingFacts: all('waitingFacts'), unsentLogs: all('unsentLogs') },
    dials: sum(({ dials }) => dials),
    mostDials: guests.reduce((most, { dials }) => Math.max(most, dials), 0),
    turnedAway: sum(({ turnedAway }) => turnedAway),
    failed: sum(({ failed }) => failed),
  }
}

const tell = (): FleetBooks =>
  booksOf(
    guests.map(({ agent }) => agent.record()),
    guests.map(({ inAt }) => inAt),
  )

async function obey(order: FleetOrder): Promise<FleetAnswer> {
  switch (order.do) {
    case 'tell':
      return tell()
    case 'show':
      return guests.slice(order.from, order.from + order.most).map(({ agent }) => agent.record())
    case 'join':
      await join(order)
      return look()
    case 'work':
      work(order.repositoryIds, order.spreadMs)
      return look()
    case 'countAnew':
      countAnew()
      return look()
    case 'cutOff':
      for (const { agent } of guests) agent.cutOff()
      return look()
    case 'reconnect':
      for (const { agent } of guests) agent.reconnect()
      return look()
    case 'look':
      return look()
  }
}

process.on('message', order => {
  obey(order as FleetOrder).then(
    answer => process.send?.({ answer }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.stack : String(error) }),
  )
})
// Ctrl+C in the terminal reaches this process too: whoever started it says when it ends. Without its starter it ends.
process.on('SIGINT', () => {})
process.on('disconnect', () => process.exit())
