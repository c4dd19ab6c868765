// /metrics: what a server says of itself to Prometheus, for who has the token or comes from a known address. Off until one is set.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { BlockList } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import type { FleetCounts } from '../fleet/fleet-counts.ts'
import type { TurnedAway } from '../fleet/turned-away.ts'
import { counted } from '../metrics.ts'
import { version } from '../version.ts'
import { isListed } from './address.ts'

export type MetricsDoor = { token: string | undefined; addresses: BlockList | undefined }

/** What stands now; the parts that know are asked at each reading. */
export type MetricsParts = {
  door: MetricsDoor
  addressOf: (request: FastifyRequest) => string
  agents: () => number
  sockets: () => number
  subscriptions: () => number
  database: () => { inside: number; waiting: number }
  logIntake: () => { running: number; waitingBytes: number }
  countFleet: () => Promise<FleetCounts>
  turnedAway: TurnedAway
}

/** The fleet is counted at most so often, however many ask. */
const fleetFreshMs = 10_000

/** Adds the route; with nothing set it is as if there were none. Expects `@fastify/rate-limit` on `app`. */
export function addMetrics(app: FastifyInstance, parts: MetricsParts): void {
  const { token, addresses } = parts.door
  if (token === undefined && addresses === undefined) {
    app.get('/metrics', async (_request, reply) =>
      reply.status(404).send({ code: 'not_found', message: 'There is nothing at this address.' }),
    )
    return
  }
  const standing = gather(parts)
  const limited = { config: { rateLimit: { max: 120, timeWindow: 60_000 } } }
  app.get('/metrics', limited, async (request, reply) => {
    if (!mayRead(request, parts)) {
      parts.turnedAway.count('not_allowed', parts.addressOf(request))
      return reply.status(401).send({ code: 'not_allowed', message: 'These figures are not for you.' })
    }
    await standing.look()
    const both = Registry.merge([standing.registry, counted])
    return reply
      .header('content-type', both.contentType)
      .header('cache-control', 'no-store')
      .send(await both.metrics())
  })
}

/** Whatever was set has to fit: the token, the address, or both. */
function mayRead(request: FastifyRequest, { door: { token, addresses }, addressOf }: MetricsParts): boolean {
  const shown = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? ''
  if (token !== undefined && !timingSafeEqual(digest(shown), digest(token))) return false
  return addresses === undefined || isListed(addresses, addressOf(request))
}

const digest = (text: string) => createHash('sha256').update(text).digest()

function gather(parts: MetricsParts) {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry })
  const gauge = <Label extends string = never>(name: string, help: string, labelNames: Label[] = []) =>
    new Gauge({ name: `restic_manager_${name}`, help, labelNames, registers })
  const now = (name: string, help: string, read: () => number) =>
    new Gauge({
      ...{ name: `restic_manager_${name}`, help, registers },
      collect() {
        this.set(read())
      },
    })

  gauge('info', 'The version that runs.', ['version']).set({ version }, 1)
  now('agents_connected', 'Agents connected to this server.', parts.agents)
  now('sockets', 'WebSockets of agents and dashboards at this server.', parts.sockets)
  now('subscriptions', 'Subscriptions that wait for changes at this server.', parts.subscriptions)
  now('database_calls', 'Calls that have a place at the database.', () => parts.database().inside)
  now('database_waiting', 'Calls that wait for a place at the database.', () => parts.database().waiting)
  now('log_blocks_running', 'Blocks of logs being stored.', () => parts.logIntake().running)
  now('log_bytes_waiting', 'Bytes of logs that wait for their turn.', () => parts.logIntake().waitingBytes)

  const turnedAway = new Counter({
    name: 'restic_manager_turned_away_total',
    help: 'Requests, calls and connections refused, by reason.',
    labelNames: ['reason'],
    registers: [],
    collect() {
      this.reset()
      for (const { reason, count } of parts.turnedAway.rows()) this.inc({ reason }, count)
    },
  })
  registry.registerMetric(turnedAway)

  const isCounted = gauge(
    'fleet_counted',
    'Whether the figures of the fleet are fresh: 1, or 0 while the database is away.',
  )
  const hosts = gauge('hosts', 'Hosts of the whole fleet by state.', ['state'])
  const openJobs = gauge('open_jobs', 'Jobs of the whole fleet that have not ended.', ['kind', 'status'])
  const facts = gauge('spool_facts', 'Facts that wait on the disks of hosts, all together.')
  const mostFacts = gauge('spool_facts_most', 'Facts that wait on the disk of one host, the most of all.')
  const logBytes = gauge('spool_log_bytes', 'Bytes of logs that wait on the disks of hosts.')
  const full = gauge('spools_full', 'Hosts whose disk takes no more records.')

  let lookedAt = -Infinity
  async function look() {
    if (performance.now() - lookedAt < fleetFreshMs) return
    lookedAt = performance.now()
    try {
      const counts = await parts.countFleet()
      hosts.reset()
      for (const state of ['online', 'offline', 'quarantined']) hosts.set({ state }, 0)
      for (const { state, count } of counts.hosts) hosts.set({ state }, count)
      openJobs.reset()
      for (const { kind, status, count } of counts.openJobs) openJobs.set({ kind, status }, count)
      facts.set(Number(counts.spools.facts))
      mostFacts.set(Number(counts.spools.mostFacts))
      logBytes.set(Number(counts.spools.logBytes))
      full.set(Number(counts.spools.full))
      isCounted.set(1)
    } catch {
      // The rest of the figures is what one wants to see while the database is away.
      isCounted.set(0)
    }
  }
  return { registry, look }
}
