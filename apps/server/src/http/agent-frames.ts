// The frames of an agent's connection: tRPC's calls and subscriptions, with as little held for each as can be. There are thousands.
import { callTRPCProcedure, getTRPCErrorFromUnknown, TRPCError } from '@trpc/server'
import { getHTTPStatusCodeFromError } from '@trpc/server/http'
import {
  parseTRPCMessage,
  TRPC_ERROR_CODES_BY_KEY,
  type TRPCClientOutgoingMessage,
  type TRPCResponseMessage,
} from '@trpc/server/rpc'
import { agentRouter } from '../agent-api/router.ts'
import type { AgentContext } from '../context.ts'
import { asWireError, formatError } from '../wire-errors.ts'
import { agentCalls } from './agent-calls.ts'
import { speak, type Voice } from './frame-text.ts'
import type { Link } from './socket-link.ts'

type Id = number | string
type Call = Exclude<TRPCClientOutgoingMessage, { method: 'subscription.stop' }>

/** `stream`: what lies beneath the socket. `onError` hears of each call that failed, by its procedure. */
export type AgentWire = Omit<Voice, 'due'> & {
  link: Pick<Link, 'read' | 'began' | 'ended' | 'weigh' | 'refused'>
  mostSubscriptions: number
  ctx: AgentContext
  onError(path: string | undefined, error: TRPCError): void
}

type Connection = AgentWire & Voice & { streams: Map<Id, AbortController> }

/** Answers every frame of a connection until it is closed, and then stops what it was subscribed to. */
export function serveFrames(wire: AgentWire): void {
  const connection: Connection = { ...wire, due: '', streams: new Map() }
  wire.socket.on('message', (data, isBinary) => take(connection, isBinary ? data : String(data)))
  wire.ctx.closed.addEventListener('abort', () => connection.streams.forEach(stream => stream.abort()), {
    once: true,
  })
}

function take(connection: Connection, data: unknown) {
  if (data === 'PING') return speak(connection, 'PONG')
  if (data === 'PONG') return undefined
  for (const message of read(connection, data)) answer(connection, message)
  return undefined
}

/** Nothing of a frame that cannot be read: its peer is told so. */
function read(connection: Connection, data: unknown): TRPCClientOutgoingMessage[] {
  const { link, streams, mostSubscriptions } = connection
  try {
    const frame = link.read(data)
    const messages = (Array.isArray(frame) ? frame : [frame]).map(message =>
      parseTRPCMessage(message, agentRouter._def._config.transformer),
    )
    const opening = messages.filter(({ method }) => method === 'subscription').length
    if (opening > 0 && streams.size + opening > mostSubscriptions)
      throw link.refused('too_many_subscriptions', 'Too many subscriptions.')
    return messages
  } catch (cause) {
    say(connection, { id: null, error: shapeOf(new TRPCError({ code: 'PARSE_ERROR', cause })) })
    return []
  }
}

/** Never throws. What a verb answers without waiting is said without waiting. */
function answer(connection: Connection, message: TRPCClientOutgoingMessage): void {
  const { id } = message
  if (message.method === 'subscription.stop') return connection.streams.get(id ?? '')?.abort()
  const { path, input } = message.params
  if (id === null)
    return fail(connection, id, path, new TRPCError({ code: 'PARSE_ERROR', message: 'a call needs an id' }))
  if (message.method === 'subscription') return void tell(connection, id, message)
  const { link, ctx } = connection
  link.began()
  const succeed = (data: unknown) => {
    link.ended()
    say(connection, { id, result: { type: 'data', data } })
  }
  const giveUp = (cause: unknown) => {
    link.ended()
    fail(connection, id, path, cause)
  }
  let result: unknown
  try {
    const act = message.method === 'mutation' ? agentCalls.get(path) : undefined
    result = act === undefined ? call(connection, message) : act(ctx, input)
  } catch (cause) {
    return giveUp(cause)
  }
  if (result instanceof Promise) void result.then(succeed, giveUp)
  else succeed(result)
}

/** A call begun is never taken back: its signal is that of the connection. */
const call = ({ ctx }: Connection, { method, params: { path, input } }: Call, signal = ctx.closed) =>
  callTRPCProcedure({
    ...{ router: agentRouter, ctx, path, type: method, signal, batchIndex: 0 },
    getRawInput: async () => input,
  })

/** Says each value as it comes, until the subscription or the connection is stopped. Never rejects. */
async function tell(connection: Connection, id: Id, message: Call) {
  const { streams, ctx } = connection
  const { path } = message.params
  if (streams.has(id))
    return fail(connection, id, path, new TRPCError({ code: 'BAD_REQUEST', message: 'this id is in use' }))
  const stream = new AbortController()
  streams.set(id, stream)
  if (ctx.closed.aborted) stream.abort()
  try {
    const values = (await call(connection, message, stream.signal)) as AsyncIterable<unknown>
    say(connection, { id, result: { type: 'started' } })
    try {
      for await (const data of values) {
        if (stream.signal.aborted) break
        say(connection, { id, result: { type: 'data', data } })
      }
    } catch (cause) {
      fail(connection, id, path, cause)
    }
  } catch (cause) {
    return fail(connection, id, path, cause)
  } finally {
    streams.delete(id)
  }
  say(connection, { id, result: { type: 'stopped' } })
}

function fail(connection: Connection, id: Id | null, path: string, cause: unknown) {
  const error = getTRPCErrorFromUnknown(asWireError(cause))
  connection.onError(path, error)
  say(connection, { id, error: shapeOf(error) })
}

const shapeOf = (error: TRPCError) => {
  const shape = {
    message: error.message,
    code: TRPC_ERROR_CODES_BY_KEY[error.code],
    data: { httpStatus: getHTTPStatusCodeFromError(error) },
  }
  return formatError({ error, shape })
}

/** A connection that closes is told nothing more. */
function say(connection: Connection, message: TRPCResponseMessage) {
  const text = JSON.stringify(message)
  connection.link.weigh(text)
  speak(connection, text)
}
