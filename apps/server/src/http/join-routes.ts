// /join, for machines that want in: tRPC's calls, read and answered without the objects of the web. A whole fleet makes two at once.
import { callTRPCProcedure, getTRPCErrorFromUnknown, TRPCError } from '@trpc/server'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { Busy } from '../fleet/arrivals.ts'
import { joinRouter } from '../join-api/router.ts'
import { asWireError, refusalError, shapeOf } from '../wire-errors.ts'
import { isPrivate, plainHttpSentence } from './transport.ts'
import { noteError, type TrpcParts } from './trpc-routes.ts'

export type JoinParts = Pick<TrpcParts, 'join' | 'transport' | 'addressOf' | 'log' | 'turnedAway'>

type JoinRequest = FastifyRequest<{ Params: { path: string }; Querystring: { batch?: string } }>

/** Adds `/join`. One call a request, so that the rate limit counts calls. */
export async function addJoinRoutes(app: FastifyInstance, parts: JoinParts) {
  const { join, addressOf, turnedAway } = parts
  app.addHook('onRoute', route => {
    route.bodyLimit = 16 * 1024
  })
  app.removeAllContentTypeParsers()
  // Fastify finds a type that it knows by name at once, and takes any other apart each time.
  for (const type of ['application/json', '*'])
    app.addContentTypeParser(type, { parseAs: 'string' }, (_request, body, done) => done(null, body))
  app.addHook('onRequest', async (request, reply) => {
    reply.header('cache-control', 'no-store')
    // The first step of a way in, turned down before anything of the request was read.
    if (!request.url.startsWith('/join/session.challenge') || !join.arrivals.isFull()) return undefined
    turnedAway.count('too_many_arriving', addressOf(request))
    return sayError(reply, asWireError(join.arrivals.turnAway()))
  })
  app.all('/join/:path', async (request: JoinRequest, reply) => {
    const { path } = request.params
    try {
      return { result: { data: await call(request, parts) } }
    } catch (cause) {
      const error = getTRPCErrorFromUnknown(asWireError(cause))
      noteError(parts, path, error, addressOf(request))
      return sayError(reply, error)
    }
  })
}

function call(request: JoinRequest, { join, transport, addressOf }: JoinParts): Promise<unknown> {
  const { method, params, query, headers, body } = request
  if (method !== 'POST') throw new TRPCError({ code: 'METHOD_NOT_SUPPORTED' })
  if (query.batch !== undefined) throw new TRPCError({ code: 'BAD_REQUEST', message: 'one call a request' })
  if (!/^application\/json *(;|$)/i.test(headers['content-type'] ?? ''))
    throw new TRPCError({ code: 'UNSUPPORTED_MEDIA_TYPE' })
  if (!isPrivate(request.raw, transport)) throw refusalError('not_allowed', plainHttpSentence)
  return callTRPCProcedure({
    ...{ router: joinRouter, path: params.path, type: 'mutation', batchIndex: 0, signal: undefined },
    ctx: { ...join, address: addressOf(request) },
    getRawInput: async () => read(body),
  })
}

function read(body: unknown): unknown {
  if (typeof body !== 'string' || body === '') return undefined
  try {
    return JSON.parse(body)
  } catch (cause) {
    throw new TRPCError({ code: 'BAD_REQUEST', cause })
  }
}

/** As tRPC's own clients read it. Who has to come again hears when. */
function sayError(reply: FastifyReply, thrown: unknown) {
  const error = getTRPCErrorFromUnknown(thrown)
  const shape = shapeOf(error)
  if (error.cause instanceof Busy) reply.header('retry-after', error.cause.retryAfterSeconds)
  return reply.status(shape.data.httpStatus).send({ error: shape })
}
