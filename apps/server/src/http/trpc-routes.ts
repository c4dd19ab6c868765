// tRPC over plain HTTP for operators: /trpc.
import { fastifyTRPCPlugin, type FastifyTRPCPluginOptions } from '@trpc/server/adapters/fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Refusal } from '@restic-manager/contract/refusal'
import type { Log } from '@restic-manager/runtime/log'
import type { KeyLimits } from '../auth/key-limits.ts'
import { TooMany } from '../auth/limits.ts'
import type { GetPrincipal } from '../auth/principal.ts'
import type { JoinContext, OperatorContext } from '../context.ts'
import { Busy } from '../fleet/arrivals.ts'
import { ForeignId } from '../fleet/facts.ts'
import type { TurnedAway, TurnedAwayReason } from '../fleet/turned-away.ts'
import { operatorRouter, type OperatorRouter } from '../operator-api/router.ts'
import { asWireError } from '../wire-errors.ts'
import { describeError } from './error-log.ts'
import { isForeign } from './origin.ts'
import type { TransportRules } from './transport.ts'

export type TrpcParts = {
  operator: Omit<OperatorContext, 'principal' | 'address' | 'closed' | 'room' | 'floor' | 'turnedAway'>
  join: Omit<JoinContext, 'address'>
  getPrincipal: GetPrincipal
  keyLimits: KeyLimits
  turnedAway: TurnedAway
  transport: TransportRules
  addressOf: (request: FastifyRequest) => string
  log: Log
}

/** Calls in one request. */
export const mostCalls = 32

const nothingHeld: Disposable = { [Symbol.dispose]() {} }

/** Why a call was turned away; undefined for a bug. */
function reasonOf({ code, cause }: { code: string; cause?: unknown }): TurnedAwayReason | undefined {
  if (cause instanceof ForeignId) return 'foreign_id'
  if (cause instanceof Busy) return 'too_many_arriving'
  if (cause instanceof Refusal) return cause.code
  if (code === 'BAD_REQUEST') return 'bad_input'
  return code === 'INTERNAL_SERVER_ERROR' ? undefined : 'unreadable'
}

/** Counts what was turned away, and logs a bug with its place and never with its input. */
export function noteError(
  { log, turnedAway }: { log: Log; turnedAway: TurnedAway },
  path: string | undefined,
  error: { code: string; cause?: unknown },
  address?: string,
) {
  const reason = reasonOf(error)
  // What came without a procedure was counted where it was read.
  if (reason !== undefined && path !== undefined) turnedAway.count(reason, address)
  // Without a procedure it is the peer that broke the protocol.
  if (path === undefined || error.code !== 'INTERNAL_SERVER_ERROR') return
  log.error({ procedure: path, error: describeError(error.cause ?? error) }, 'a procedure failed')
}

/** Adds `/trpc`. A request that shows a cookie must come from our own page. */
export async function addOperatorRoutes(app: FastifyInstance, parts: TrpcParts) {
  const { operator, getPrincipal, addressOf, log, turnedAway } = parts
  const { publicUrl } = parts.transport
  const takeCalls = (res: FastifyReply, keyId: string, calls: number) => {
    try {
      parts.keyLimits.take(keyId, calls)
    } catch (error) {
      if (error instanceof TooMany) res.header('retry-after', error.retryAfterSeconds)
      throw asWireError(error)
    }
  }
  const createContext = async ({
    req,
    res,
    info,
  }: {
    req: FastifyRequest
    res: FastifyReply
    info: { calls: readonly unknown[] }
  }): Promise<OperatorContext> => {
    const headers = new Headers()
    const { cookie, authorization } = req.headers
    if (authorization !== undefined) headers.set('authorization', authorization)
    if (cookie !== undefined) headers.set('cookie', cookie)
    const { principal, cookies } = await getPrincipal(headers).catch((error: unknown) => {
      throw asWireError(error)
    })
    for (const line of cookies) res.header('set-cookie', line)
    if (principal?.by.kind === 'key') takeCalls(res, principal.by.keyId, info.calls.length)
    const left = new AbortController()
    res.raw.once('close', () => left.abort())
    return {
      ...operator,
      ...{ principal, address: addressOf(req), turnedAway },
      ...{ closed: left.signal, room: async () => {}, floor: async () => nothingHeld },
    }
  }
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store')
    if (request.headers.cookie !== undefined && isForeign(request.headers, publicUrl)) {
      turnedAway.count('foreign_origin', addressOf(request))
      return reply.status(403).send({ code: 'not_allowed', message: 'This request comes from another site.' })
    }
    return undefined
  })
  await app.register(fastifyTRPCPlugin, {
    prefix: '/trpc',
    trpcOptions: {
      router: operatorRouter,
      createContext,
      maxBatchSize: mostCalls,
      onError: ({ path, error, req }) => noteError({ log, turnedAway }, path, error, addressOf(req)),
    },
  } satisfies FastifyTRPCPluginOptions<OperatorRouter>)
}
