// A process full of connections that do one thing: to our server as enrolled agents, to a bare one as plain sockets.
import { setTimeout as sleep } from 'node:timers/promises'
import { AgentOrder } from '@restic-manager/contract/agent'
import { toInstant } from '@restic-manager/contract/scalars'
import { timing } from '@restic-manager/contract/timing'
import { dial, type SimulatedLink } from '../simulator/link.ts'
import { createTimerWheel } from '../simulator/timer-wheel.ts'
import { proveAgent } from './lone-agent.ts'

export type Member = { hostname: string; token: string; localAddress: string | undefined }

/** `bare`: the other end is no server of ours. `beats`: heartbeats from now on. `calls`: in flight at a time, of each connection. */
export type CrowdOrder =
  | { do: 'join'; url: string; bare: boolean; beats: boolean; members: Member[] }
  | { do: 'call'; path: string; input: object; times: number; calls: number }
  | { do: 'look' }

/** `acks`: orders that were acked by now; `lastAckAt`: when the last answer to one came, on the clock of the wall. */
export type CrowdAnswer = { in: number; acks: number; lastAckAt: number; hostIds: string[] }

type Connection = { link: SimulatedLink; hostId: string }
const anything = { parse: (value: unknown) => value }
const wheel = createTimerWheel()
const connections: Connection[] = []
let acks = 0
let lastAckAt = 0

/** Of this process on their way in at once: all processes together stay below what a server lets in. */
const AT_ONCE = 64

async function join({ url, bare, beats, members }: CrowdOrder & { do: 'join' }) {
  const waiting = [...members]
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const connection = bare ? await openBare(url, next) : await openAgent(url, next)
        connections.push(connection)
        if (beats) beat(connection.link, Math.random() * timing.heartbeat)
      }
    }),
  )
}

const watched = (link: () => SimulatedLink | undefined) => ({
  ...{ timing, wheel },
  onClosed: () =>
    void connections.splice(0, connections.length, ...connections.filter(it => it.link !== link())),
  onSilent: () => link()?.cut(),
})

async function openBare(url: string, { localAddress }: Member): Promise<Connection> {
  const opened: { link?: SimulatedLink } = {}
  opened.link = await dial({ url, bearer: 'bare', localAddress, ...watched(() => opened.link) })
  const link = opened.link
  // The numbers that an agent's calls have: hello, orders, schedules.
  await link.call('agent.hello', {}, anything)
  link.subscribe('agent.orders', order => take(link, order))
  link.subscribe('schedule.set', () => {})
  return { link, hostId: '' }
}

async function openAgent(url: string, { hostname, token, localAddress }: Member): Promise<Connection> {
  const { hostId, bearer, hello } = await proveAgent(url, token, hostname, localAddress)
  const opened: { link?: SimulatedLink } = {}
  opened.link = await dial({ url, bearer, localAddress, ...watched(() => opened.link) })
  const link = opened.link
  await link.call('agent.hello', hello, anything)
  const heard = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
  link.subscribe('agent.orders', order => {
    heard[0].resolve()
    take(link, order)
  })
  link.subscribe('schedule.set', () => heard[1].resolve())
  await Promise.all(heard.map(({ promise }) => promise))
  return { link, hostId }
}

function take(link: SimulatedLink, received: unknown) {
  const order = AgentOrder.parse(received)
  if (order.order !== 'config.update') return
  const ack = { version: order.version, appliedAt: toInstant(Date.now()) }
  void link.call('config.ack', ack, anything, 60_000).then(
    () => {
      acks += 1
      lastAckAt = Date.now()
    },
    // Whoever waits for all acks sees that one is missing.
    () => {},
  )
}

function beat(link: SimulatedLink, inMs: number) {
  wheel.after(inMs, () => {
    if (!link.isOpen()) return
    const spool = { facts: 0, logBytes: 0 }
    link.call('agent.heartbeat', { sentAt: toInstant(Date.now()), spool }, anything).catch(() => {})
    beat(link, timing.heartbeat)
  })
}

async function callAll({ path, input, times, calls }: CrowdOrder & { do: 'call' }) {
  await Promise.all(
    connections.map(async ({ link }) => {
      let left = times
      await Promise.all(
        Array.from({ length: calls }, async () => {
          while (left > 0) {
            left -= 1
            await link.call(path, input, anything, 60_000)
          }
        }),
      )
    }),
  )
}

async function obey(order: CrowdOrder): Promise<CrowdAnswer> {
  if (order.do === 'join') await join(order)
  if (order.do === 'call') await callAll(order)
  return { in: connections.length, acks, lastAckAt, hostIds: connections.map(({ hostId }) => hostId) }
}

process.on('message', order => {
  obey(order as CrowdOrder).then(
    answer => process.send?.({ answer }),
    (error: unknown) => process.send?.({ error: error instanceof Error ? error.stack : String(error) }),
  )
})
process.on('disconnect', () => process.exit())
// Keeps the process for as long as its channel is open, whatever its connections do.
await sleep(0)
