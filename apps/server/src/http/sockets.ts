// The WebSockets of /agent and /trpc: who they are is settled at the upgrade, before tRPC sees a byte.
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TRPCError } from '@trpc/server'
import { getWSConnectionHandler } from '@trpc/server/adapters/ws'
import { WebSocketServer, type WebSocket } from 'ws'
import { Refusal, refusals } from '@restic-manager/contract/refusal'
import type { Timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import type { KeyLimits } from '../auth/key-limits.ts'
import type { GetPrincipal } from '../auth/principal.ts'
import type { AgentContext, HostSession, OperatorContext, Principal } from '../context.ts'
import { operatorRouter } from '../operator-api/router.ts'
import { type Arrivals, Busy } from '../fleet/arrivals.ts'
import type { TurnedAway } from '../fleet/turned-away.ts'
import { serveFrames } from './agent-frames.ts'
import type { AgentSockets } from './agent-sockets.ts'
import { describeError } from './error-log.ts'
import { watchOperatorSockets } from './operator-sockets.ts'
import { clientAddress } from './address.ts'
import { isForeign } from './origin.ts'
import { type Answer, refuse } from './refused-upgrade.ts'
import { type Link, type LinkLimits, makeLink } from './socket-link.ts'
import { encoderOf } from './trpc-encoder.ts'
import { isPrivate, plainHttpSentence, type TransportRules } from './transport.ts'
import { mostCalls, noteError } from './trpc-routes.ts'
import { countUnproven } from './unproven.ts'

export type SocketParts = {
  agent: Omit<AgentContext, 'host' | 'connection' | 'closed' | 'room' | 'floor'>
  operator: Omit<
    OperatorContext,
    'principal' | 'address' | 'closed' | 'room' | 'floor' | 'turnedAway' | 'takeCall'
  >
  claimBearer: (bearer: string) => Promise<HostSession>
  getPrincipal: GetPrincipal
  keyLimits: KeyLimits
  agents: AgentSockets
  turnedAway: TurnedAway
  arrivals: Arrivals
  transport: TransportRules
  timing: Timing
  log: Log
  limits?: Partial<SocketLimits>
}

export type SocketLimits = LinkLimits & {
  /** Connections of one address that have not shown who they are. */
  unproven: number
  /** How long a connection may take to say what it wants. */
  headersMs: number
  /** Calls of one agent without an answer: fewer than the database has connections, so that no host takes them all. */
  agentPending: number
  /** Subscriptions of one agent, which needs two. */
  agentSubscriptions: number
  /** Agents on their way in at once, from the challenge until they were told their first orders; and how long that may take. */
  arriving: number
  arrivingMs: number
  /** How often the session behind an operator's socket is looked at again. */
  recheckMs: number
}

export type Sockets = {
  /** Open sockets. */
  size(): number
  /** Cuts every connection without a word, for tests. */
  drop(): void
  /** Lets running calls finish, then asks everybody to come back elsewhere, spread over `spreadMs`. */
  drain(spreadMs: number): Promise<void>
}

type AgentEnds = { socket: WebSocket; stream: Duplex }
type Operator = { principal: Principal; headers: Headers }

const MiB = 1024 * 1024
/** What a server allows unless a test says otherwise. Pings keep to `Timing`. */
export const standardLimits: Omit<SocketLimits, 'pingMs' | 'pongMs'> = {
  roomBytes: MiB,
  mostBytes: 6 * MiB,
  mostWaitMs: 10_000,
  mostPending: 64,
  mostSubscriptions: 64,
  mostCalls,
  unproven: 512,
  agentPending: 8,
  agentSubscriptions: 8,
  arriving: 512,
  arrivingMs: 20_000,
  headersMs: 10_000,
  recheckMs: 30_000,
}

/** `closeTimeout` is younger than the types of ws. */
const acceptance = {
  noServer: true,
  clientTracking: false,
  maxPayload: MiB,
  perMessageDeflate: false,
  closeTimeout: 2_000,
}
const bearerOf = (request: IncomingMessage) =>
  /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]

/** Takes over the upgrades of `server`. */
export function serveSockets(server: Server, parts: SocketParts): Sockets {
  const { agent, operator, agents, log, timing, transport } = parts
  const limits = { ...standardLimits, pingMs: timing.ping, pongMs: timing.pong, ...parts.limits }
  const { agentPending, agentSubscriptions: mostSubscriptions } = limits
  const agentLimits = { ...limits, mostPending: agentPending }
  const acceptor = new WebSocketServer(acceptance)
  const links = new Map<Link, WebSocket>()
  const { getPrincipal, turnedAway } = parts
  const { trustedProxies: trusted } = transport
  const unproven = countUnproven(server, { most: limits.unproven, trusted, turnedAway })
  const watched = watchOperatorSockets({ bus: operator.bus, getPrincipal, recheckMs: limits.recheckMs })
  const addressOf = (request: IncomingMessage) => clientAddress(request, trusted)
  let draining = false

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const ignore = () => {}
    socket.on('error', ignore)
    admit(request)
      .then(start => {
        if ('status' in start) {
          turnedAway.count(start.reason, addressOf(request))
          return refuse(socket, start)
        }
        if (socket.destroyed) return undefined
        unproven.proved(socket)
        acceptor.handleUpgrade(request, socket, head, webSocket => {
          socket.off('error', ignore)
          start.begin(webSocket, socket)
        })
        return undefined
      })
      .catch((error: unknown) => {
        log.warn({ error: describeError(error) }, 'a connection could not be let in')
        turnedAway.count('unavailable')
        refuse(socket, { status: 503, sentence: 'The server cannot look you up now. Try again.' })
      })
  })

  async function admit(
    request: IncomingMessage,
  ): Promise<Answer | { begin: (socket: WebSocket, stream: Duplex) => void }> {
    if (draining) return { status: 503, sentence: 'The server is stopping. Try again.', reason: 'stopping' }
    const path = URL.parse(request.url ?? '', 'http://server')?.pathname
    if (path === '/agent') {
      if (!isPrivate(request, transport))
        return { status: 403, sentence: plainHttpSentence, reason: 'not_private' }
      const bearer = bearerOf(request)
      if (bearer === undefined)
        return { status: 401, sentence: 'Prove the session first.', reason: 'no_bearer' }
      try {
        const host = await parts.arrivals.stepOfBearer(bearer, () => parts.claimBearer(bearer))
        return { begin: (socket, stream) => beginAgent({ socket, stream }, request, host) }
      } catch (error) {
        if (!(error instanceof Refusal)) throw error
        if (error instanceof Busy)
          return {
            ...{ status: 503, sentence: error.message, reason: 'too_many_arriving' },
            retryAfterSeconds: error.retryAfterSeconds,
          }
        return refusals[error.code] === 'UNAUTHORIZED'
          ? { status: 401, sentence: error.message, reason: 'bearer_refused' }
          : { status: 403, sentence: error.message, reason: error.code }
      }
    }
    if (path === '/trpc') {
      const headers = new Headers()
      for (const name of ['cookie', 'authorization'] as const)
        if (request.headers[name] !== undefined) headers.set(name, request.headers[name])
      const asked = await getPrincipal(headers)
      const { principal } = asked
      if (principal === undefined) return { status: 401, sentence: 'Sign in first.', reason: 'not_signed_in' }
      // Browsers always say where a WebSocket comes from. A cookie without that word is not from our page.
      const nameless = request.headers.origin === undefined
      if (asked.by === 'cookie' && (nameless || isForeign(request.headers, transport.publicUrl)))
        return {
          ...{ status: 403, sentence: 'This connection comes from another site.' },
          reason: 'foreign_origin',
        }
      return { begin: socket => beginOperator(socket, request, { principal, headers }) }
    }
    return { status: 404, sentence: 'There is nothing at this address.', reason: 'nothing_here' }
  }

  const noteAgentError = (path: string | undefined, error: TRPCError) =>
    noteError({ log, turnedAway }, path, error)

  function beginAgent(ends: AgentEnds, request: IncomingMessage, host: HostSession) {
    const link = open(ends.socket, request, agentLimits)
    const place = parts.arrivals.seat(host.id)
    link.closed.addEventListener('abort', place.leave, { once: true })
    const connection = { spoolEpoch: undefined, place }
    const ctx: AgentContext = {
      ...agent,
      host,
      connection,
      closed: link.closed,
      room: () => link.room(),
      floor: () => link.floor(),
    }
    agents.add(host, link)
    serveFrames({ ...ends, link, mostSubscriptions, ctx, onError: noteAgentError })
  }

  function beginOperator(socket: WebSocket, request: IncomingMessage, { principal, headers }: Operator) {
    const link = open(socket, request, limits)
    const address = addressOf(request)
    const { by } = principal
    const ctx: OperatorContext = {
      ...operator,
      ...{ principal, address, turnedAway, closed: link.closed },
      ...{ room: () => link.room(), floor: () => link.floor() },
      ...(by.kind === 'key' && { takeCall: () => parts.keyLimits.take(by.keyId, 1) }),
    }
    watched.add(principal, headers, link)
    hand(socket, request, () =>
      getWSConnectionHandler({
        wss: acceptor,
        router: operatorRouter,
        createContext: () => ctx,
        experimental_encoder: encoderOf(link, limits),
        onError: ({ path, error }) => noteError({ log, turnedAway }, path, error),
      }),
    )
  }

  function open(socket: WebSocket, request: IncomingMessage, within: LinkLimits): Link {
    const address = addressOf(request)
    const link = makeLink(socket, within, reason => turnedAway.count(reason, address))
    links.set(link, socket)
    link.closed.addEventListener('abort', () => links.delete(link), { once: true })
    return link
  }

  /** Gives the socket to tRPC under a plain address: a query there could ask it to wait for connection parameters. */
  function hand(
    socket: WebSocket,
    request: IncomingMessage,
    handler: () => ReturnType<typeof getWSConnectionHandler>,
  ) {
    try {
      request.url = '/'
      handler()(socket, request)
    } catch (error) {
      log.warn({ error: describeError(error) }, 'a connection could not be begun')
      socket.terminate()
    }
  }

  const everyMs = Math.max(10, Math.min(1_000, limits.pingMs / 4))
  let tickedAt = performance.now()
  const ticking = setInterval(() => {
    const now = performance.now()
    // While our own event loop slept, answers may have come that nobody has read yet.
    const stalledMs = Math.max(0, now - tickedAt - 2 * everyMs)
    tickedAt = now
    for (const link of links.keys()) link.tick(now, stalledMs)
  }, everyMs)
  ticking.unref()

  return {
    size: () => links.size,
    drop() {
      for (const socket of links.values()) socket.terminate()
    },
    async drain(spreadMs) {
      draining = true
      for (const link of links.keys()) link.hush()
      const finished = performance.now() + 10_000
      while ([...links.keys()].some(link => link.pending() > 0) && performance.now() < finished)
        await sleep(20)
      const leaving = [...links.keys()]
      const spread = leaving.length > 20 ? spreadMs : 0
      await Promise.all(
        leaving.map(async (link, index) => {
          await sleep((spread * index) / leaving.length)
          link.close('restart')
        }),
      )
      const gone = performance.now() + 3_000
      while (links.size > 0 && performance.now() < gone) await sleep(20)
      this.drop()
      clearInterval(ticking)
      watched.stop()
      acceptor.close()
    },
  }
}
