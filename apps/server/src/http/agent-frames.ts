// The frames of an agent's connection: tRPC's calls and subscriptions, with as little held for each as can be. There are thousands.
import { callTRPCProcedure, getTRPCErrorFromUnknown, TRPCError } from '@trpc/server'
import { getHTTPStatusCodeFromError } from '@trpc/server/http'
import { parseTRPCMessage, TRPC_ERROR_CODES_BY_KEY, type TRPCClientOutgoingMessage } from '@trpc/server/rpc'
import type { WebSocket } from 'ws'
import { agentRouter } from '../agent-api/router.ts'
import type { AgentContext } from '../context.ts'
import { asWireError, formatError } from '../wire-errors.ts'
import type { Link } from './socket-link.ts'

type Id = number | string
type Call = Exclude<TRPCClientOutgoingMessage, { method: 'subscription.stop' }>

/** `onError` hears of each call that failed, by its procedure. */
export type AgentWire = {
  socket: WebSocket
  encoder: Link['encoder']
  ctx: AgentContext
  onError(path: string | undefined, error: TRPCError): void
}

type Connection = AgentWire & { streams: Map<Id, AbortController> }

/** Answers every frame of a connection until it is closed, and then stops what it was subscribed to. */
export function serveFrames(wire: AgentWire): void {
  const connection: Connection = { ...wire, streams: new Map() }
  wire.socket.on('message', (data, isBinary) => take(connection, isBinary ? data : String(data)))
  wire.ctx.closed.addEventListener('abort', () => connection.streams.forEach(stream => stream.abort()), {
    once: true,
  })
}

function take(connection: Connection, data: unknown) {
  if (data === 'PING') return connection.socket.send('PONG')
  if (data === 'PONG') return undefined
  for (const message of read(connection, data)) void answer(connection, message)
  return undefined
}

/** Nothing of a frame that cannot be read: its peer is told so. */
function read(connection: Connection, data: unknown): TRPCClientOutgoingMessage[] {
  try {
    const frame: unknown = connection.encoder.decode(data as string)
    const messages = Array.isArray(frame) ? frame : [frame]
    return messages.map(message => parseTRPCMessage(message, agentRouter._def._config.transformer))
  } catch (cause) {
    say(connection, { id: null, error: shapeOf(new TRPCError({ code: 'PARSE_ERROR', cause })) })
    return []
  }
}

/** Never rejects. */
async function answer(connection: Connection, message: TRPCClientOutgoingMessage): Promise<void> {
  const { id } = message
  if (message.method === 'subscription.stop') return connection.streams.get(id ?? '')?.abort()
  const { path } = message.params
  try {
    if (id === null) throw new TRPCError({ code: 'PARSE_ERROR', message: 'a call needs an id' })
    if (message.method === 'subscription') await tell(connection, id, message)
    else say(connection, { id, result: { type: 'data', data: await call(connection, message) } })
  } catch (cause) {
    fail(connection, id, path, cause)
  }
}

/** A call begun is never taken back: its signal is that of the connection. */
const call = ({ ctx }: Connection, { method, params: { path, input } }: Call, signal = ctx.closed) =>
  callTRPCProcedure({
    ...{ router: agentRouter, ctx, path, type: method, signal, batchIndex: 0 },
    getRawInput: async () => input,
  })

/** Says each value as it comes, until the subscription or the connection is stopped. */
async function tell(connection: Connection, id: Id, message: Call) {
  const { streams, ctx } = connection
  if (streams.has(id)) throw new TRPCError({ code: 'BAD_REQUEST', message: 'this id is in use' })
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
      fail(connection, id, message.params.path, cause)
    }
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
function say({ socket, encoder }: Connection, message: Parameters<Link['encoder']['encode']>[0]) {
  if (socket.readyState === socket.OPEN) socket.send(encoder.encode(message))
}
