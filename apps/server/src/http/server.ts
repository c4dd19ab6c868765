// The one port: health, page, sign-in, tRPC over HTTP, and the WebSockets beside them.
import { readFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import fastifyRateLimit from '@fastify/rate-limit'
import Fastify, { type FastifyError, type FastifyInstance, type FastifyRequest } from 'fastify'
import { Refusal, refusals } from '@restic-manager/contract/refusal'
import { createKeyLimits } from '../auth/key-limits.ts'
import type { GetPrincipal } from '../auth/principal.ts'
import type { Provider } from '../auth/provider.ts'
import type { SignIn } from '../auth/sign-in.ts'
import type { Config } from '../config.ts'
import { outageIn } from '../db/outage.ts'
import { createArrivals, hearGreetings } from '../fleet/arrivals.ts'
import type { TurnedAwayReason } from '../fleet/turned-away.ts'
import { clientAddress, limitKey } from './address.ts'
import { addAuthority, type Authority } from './authority.ts'
import { addAuthRoutes } from './auth-routes.ts'
import { describeError } from './error-log.ts'
import { addHealth, type Readiness } from './health.ts'
import { addJoinRoutes } from './join-routes.ts'
import { addMetrics, type MetricsParts } from './metrics.ts'
import { addPage } from './page.ts'
import { addSecurityHeaders } from './security-headers.ts'
import { serveSockets, type SocketParts, type Sockets, standardLimits } from './sockets.ts'
import { addOperatorRoutes, type TrpcParts } from './trpc-routes.ts'

export type HttpParts = {
  config: Config
  signIn: SignIn
  provider: Provider | undefined
  /** The origin better-auth was made with. */
  origin: string
  getPrincipal: GetPrincipal
  readiness: Readiness
  /** What agents pin. */
  authority: Authority | undefined
  join: Omit<TrpcParts['join'], 'arrivals'>
  /** What is known of the server beyond its sockets. */
  standing: Pick<MetricsParts, 'subscriptions' | 'database' | 'countFleet'>
} & Pick<
  SocketParts,
  'agent' | 'operator' | 'claimBearer' | 'agents' | 'turnedAway' | 'timing' | 'log' | 'limits'
>

export type HttpServer = {
  /** Starts to listen and says where. */
  listen(): Promise<{ url: string; port: number }>
  sockets: Sockets
  /** Takes nothing new, lets what runs finish, and closes. */
  stop(): Promise<void>
}

const statuses: Record<(typeof refusals)[keyof typeof refusals], number> = {
  BAD_REQUEST: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  PRECONDITION_FAILED: 412,
  TOO_MANY_REQUESTS: 429,
  SERVICE_UNAVAILABLE: 503,
}

/** Builds the server without listening. */
export async function createHttpServer(parts: HttpParts): Promise<HttpServer> {
  const { config, log, getPrincipal, signIn, provider, origin, turnedAway } = parts
  const { publicUrl, trustedProxies, allowPlainHttp } = config
  const transport = { publicUrl, trustedProxies, allowPlainHttp }
  const tls = config.tls && {
    cert: await readFile(config.tls.certFile),
    key: await readFile(config.tls.keyFile),
    handshakeTimeout: parts.timing.handshake,
  }
  const headersMs = parts.limits?.headersMs ?? standardLimits.headersMs
  const options = {
    bodyLimit: 1024 * 1024,
    // A batch names all its procedures in one path segment.
    routerOptions: { maxParamLength: 5_000 },
    forceCloseConnections: 'idle' as const,
    connectionTimeout: 0,
    requestTimeout: 30_000,
    keepAliveTimeout: 10_000,
    http: { headersTimeout: headersMs, connectionsCheckingInterval: headersMs / 5 },
  }
  const app = (tls ? Fastify({ ...options, https: tls }) : Fastify(options)) as unknown as FastifyInstance
  const addressOf = (request: FastifyRequest) => clientAddress(request.raw, trustedProxies)

  await addGuards(app, { https: origin.startsWith('https:'), addressOf, log, turnedAway })
  app.server.on('clientError', (_error, socket) =>
    turnedAway.count('broken_http', (socket as Socket).remoteAddress),
  )
  addHealth(app, parts.readiness)
  addAuthority(app, parts.authority)
  await app.register(async scope => {
    const { db, seal } = parts.operator
    const dialled = () => parts.operator.publicUrl
    addAuthRoutes(scope, {
      ...{ db, seal, signIn, provider, getPrincipal, origin, publicUrl },
      ...{ dialled, addressOf, log, turnedAway },
    })
  })
  const arrivals = createArrivals({
    most: parts.limits?.arriving ?? standardLimits.arriving,
    placeMs: parts.limits?.arrivingMs ?? standardLimits.arrivingMs,
  })
  const stopped = new AbortController()
  void hearGreetings(parts.agent.bus, arrivals, stopped.signal)
  const join = { ...parts.join, arrivals }
  const keyLimits = createKeyLimits(config.apiCallsPerMinute)
  const trpc = {
    ...{ operator: parts.operator, join, getPrincipal, keyLimits, transport, addressOf, log, turnedAway },
  }
  await app.register(async scope => {
    await addOperatorRoutes(scope, trpc)
  })
  await app.register(async scope => {
    // A whole fleet may come from one address, twice for each host; who may come in at once is bounded elsewhere.
    await scope.register(fastifyRateLimit, limitBy(addressOf, 12_000))
    await addJoinRoutes(scope, trpc)
  })
  app.get('/agent', async (_request, reply) =>
    reply
      .status(426)
      .header('upgrade', 'websocket')
      .send({ code: 'bad_input', message: 'Agents come by WebSocket.' }),
  )
  await addPage(app, config.pageDir)
  const sockets = serveSockets(app.server as Server, { ...parts, keyLimits, arrivals, transport })
  addMetrics(app, {
    ...parts.standing,
    door: config.metrics,
    ...{ addressOf, turnedAway },
    agents: parts.agents.size,
    sockets: sockets.size,
    logIntake: parts.agent.logIntake.load,
  })

  return {
    sockets,
    async listen() {
      await app.listen({ host: config.host, port: config.port, backlog: 4_096 })
      const address = app.server.address()
      const port = typeof address === 'object' && address !== null ? address.port : config.port
      const host = config.host.includes(':') ? `[${config.host}]` : config.host
      return { url: `${tls ? 'https' : 'http'}://${host}:${port}`, port }
    },
    async stop() {
      stopped.abort()
      const closing = app.close()
      await sockets.drain(3_000)
      app.server.closeIdleConnections()
      const late = setTimeout(() => app.server.closeAllConnections(), 5_000)
      await closing
      clearTimeout(late)
    },
  }
}

type Guards = {
  https: boolean
  addressOf: (request: FastifyRequest) => string
} & Pick<HttpParts, 'log' | 'turnedAway'>

async function addGuards(app: FastifyInstance, { https, addressOf, log, turnedAway }: Guards) {
  await addSecurityHeaders(app, { https })
  await app.register(fastifyRateLimit, { ...limitBy(addressOf, 1_000), global: false })
  app.setErrorHandler<FastifyError>((error, request, reply) => {
    const turnAway = (reason: TurnedAwayReason) => turnedAway.count(reason, addressOf(request))
    if (error instanceof Refusal) {
      turnAway(error.code)
      return reply.status(statuses[refusals[error.code]]).send({ code: error.code, message: error.message })
    }
    const outage = outageIn(error)
    if (outage !== undefined) return reply.status(503).send({ code: 'unavailable', message: outage.sentence })
    const status = error.statusCode ?? 500
    if (status === 429) {
      turnAway('too_many_requests')
      return reply
        .status(429)
        .send({ code: 'too_many', message: 'Too many requests. Wait a minute, then try again.' })
    }
    if (status < 500) {
      turnAway(status === 413 ? 'body_too_large' : 'unreadable')
      return reply.status(status).send({ code: 'bad_input', message: 'The request could not be read.' })
    }
    log.error({ route: request.routeOptions.url, error: describeError(error) }, 'a request failed')
    return reply
      .status(503)
      .send({ code: 'unavailable', message: 'The server could not do this now. Try again in a moment.' })
  })
}

const limitBy = (addressOf: (request: FastifyRequest) => string, max: number) => ({
  max,
  timeWindow: 60_000,
  keyGenerator: (request: FastifyRequest) => limitKey(addressOf(request)),
})
