// One connection to our server as an enrolled agent that was let in: what a measurement says over it is its own affair.
import { randomUUID } from 'node:crypto'
import { PROTOCOL } from '@restic-manager/contract/protocol'
import { timing } from '@restic-manager/contract/timing'
import { enrol, makeKey, openDoor, prove } from '../simulator/join.ts'
import { dial, type SimulatedLink } from '../simulator/link.ts'
import { createTimerWheel } from '../simulator/timer-wheel.ts'

const wheel = createTimerWheel()
const anything = { parse: (value: unknown) => value }

/** Enrols a host and proves it: what its socket has to carry, once, and what it says first. */
export async function proveAgent(url: string, token: string, hostname: string, localAddress?: string) {
  const door = openDoor({ url, localAddress, waitMs: timing.handshake + timing.answer })
  const key = makeKey(Math.random)
  const hostId = await enrol(door, { token, hostname, key })
  const bearer = await prove(door, { hostId, key, confirmed: null, next: randomUUID() })
  door.connection.destroy()
  return { hostId, bearer, hello: helloAs(hostname) }
}

/** Lets it in, with the two subscriptions every agent has. Throws when the link is lost. */
export async function openLoneAgent(url: string, token: string, hostname: string): Promise<SimulatedLink> {
  const { bearer, hello } = await proveAgent(url, token, hostname)
  const link = await dial({ url, bearer, timing, wheel, onClosed() {}, onSilent() {} })
  await link.call('agent.hello', hello, anything)
  link.subscribe('agent.orders', () => {})
  link.subscribe('schedule.set', () => {})
  return link
}

const helloAs = (hostname: string) => ({
  ...{ protocolVersion: PROTOCOL, agentVersion: '0.1.0', resticVersion: '0.18.0', hostname, os: 'linux' },
  ...{ arch: 'amd64', timeZone: 'UTC', spoolEpoch: randomUUID(), policy: { hooks: 'off' }, knownJobs: [] },
  ...{ appliedScheduleVersion: 0, appliedConfigVersion: 0 },
})
