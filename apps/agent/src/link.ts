// One connection to the server: a socket that notices when the other end is gone, and the typed client on it.
import type { Timing } from '@restic-manager/contract/timing'
import type { AgentRouter } from '@restic-manager/server/agent-api'
import { createTRPCClient, createWSClient, wsLink, type TRPCClient } from '@trpc/client'
import { WebSocket, type ClientOptions } from 'ws'
import { endpoint } from './join.ts'
import type { Way } from './plain-call.ts'
import { trustOf } from './trust.ts'

export type Link = {
  api: TRPCClient<AgentRouter>
  /** Aborts when the socket is gone, whoever closed it. Its reason is a sentence. */
  closed: AbortSignal
  /** Whether the server closed it because it restarts: it, or another one, is back in a moment. */
  isRestart(): boolean
  /** Closes the socket. Safe to call twice. */
  close(why: string): void
}

/** The server would not let this agent in; `status` is what HTTP said at the upgrade. */
export class TurnedAway extends Error {
  readonly status: number
  /** The `Retry-After` it came with. */
  readonly retryAfter: string | undefined
  constructor(status: number, sentence: string, retryAfter?: string) {
    super(sentence)
    this.name = 'TurnedAway'
    this.status = status
    this.retryAfter = retryAfter
  }
}

const maxPayload = 16 * 1024 * 1024 // the largest configuration that the contract allows fits

/**
 * Opens one connection. Rejects when it cannot be opened, with `TurnedAway` when the server said no. The client is
 * for this connection alone: once `closed` has aborted, every call on it fails. `way`: by which the bearer was got, whose connection is
 * used again; a handshake of TLS costs both ends more than the rest.
 */
export async function openLink(
  {
    serverUrl,
    ca,
    bearer,
    timing,
    way,
  }: { serverUrl: string; ca?: string | undefined; bearer: string; timing: Timing; way?: Way },
  signal: AbortSignal,
): Promise<Link> {
  const gone = new AbortController()
  let socket: WebSocket | undefined
  let isRestart = false
  let opened = () => {}
  let failed: (error: Error) => void = () => {}
  const opening = new Promise<void>((resolve, reject) => {
    opened = resolve
    failed = reject
  })

  const adopt = (made: WebSocket) => (socket = made)

  class AgentSocket extends WebSocket {
    constructor(address: string) {
      // A client belongs to one connection. A call that comes late would have it dial for ever, and keep the process alive.
      if (socket !== undefined) {
        void client.close()
        throw new Error('this connection is over')
      }
      const options: ClientOptions & { closeTimeout: number } = {
        ...trustOf({ ca }),
        headers: { authorization: `Bearer ${bearer}` },
        handshakeTimeout: timing.handshake,
        closeTimeout: 2_000, // after a close nobody answers, as into a black hole
        maxPayload,
        perMessageDeflate: false,
        followRedirects: false,
        ...(way === undefined ? {} : { agent: way }),
      }
      try {
        super(address, options)
      } catch (error) {
        failed(error as Error) // the bearer cannot go into a header; the client would try it for ever
        throw error
      }
      adopt(this)
      this.on('unexpected-response', (_request, response) => {
        let said = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (said = (said + chunk).slice(0, 2_000)))
        response.on('close', () => {
          const sentence = turnedAwaySentence(response.statusCode, said)
          failed(new TurnedAway(response.statusCode ?? 0, sentence, response.headers['retry-after']))
          this.terminate()
        })
      })
      this.on('error', error => failed(error))
    }
  }

  const url = endpoint(serverUrl, 'agent')
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  const client = createWSClient({
    url: url.href,
    WebSocket: AgentSocket as unknown as typeof globalThis.WebSocket,
    experimental_encoder: { encode: data => JSON.stringify(data), decode },
    keepAlive: { enabled: true, intervalMs: timing.ping, pongTimeoutMs: timing.pong },
    retryDelayMs: () => 50,
    onOpen: () => opened(),
    onClose(cause) {
      isRestart = cause?.code === 1012 || cause?.code === 1001
      end(`the connection was closed${closeCode(cause?.code)}`)
    },
    onError: () => end('the connection failed'),
  })

  /** What the client cannot read would end the whole process: the other end is no server of ours, so the link ends. */
  function decode(data: unknown): object {
    const message = readMessage(data)
    if (message !== undefined) return message
    end('the server said something that cannot be understood')
    return {}
  }

  function end(why: string) {
    if (gone.signal.aborted) return
    gone.abort(why)
    failed(new Error(why))
    // First of all this tells the client not to dial again; then the calls that were in flight fail.
    void client.close()
    if (socket?.readyState === WebSocket.OPEN) socket.close(1000)
    else socket?.terminate()
  }

  const stop = () => end('the agent is stopping')
  signal.addEventListener('abort', stop, { once: true })
  gone.signal.addEventListener('abort', () => signal.removeEventListener('abort', stop), { once: true })
  if (signal.aborted) stop()
  try {
    await opening
  } catch (error) {
    end('the connection could not be opened')
    throw error
  }
  return {
    api: createTRPCClient<AgentRouter>({ links: [wsLink({ client })] }),
    closed: gone.signal,
    isRestart: () => isRestart,
    close: end,
  }
}

/** A message in the shape that the client takes for granted; undefined for anything else. */
function readMessage(data: unknown): object | undefined {
  if (typeof data !== 'string') return undefined
  try {
    const message: unknown = JSON.parse(data)
    const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value)
    const { result = {}, error = {} } = message as { result?: unknown; error?: unknown }
    return isObject(message) && isObject(result) && isObject(error) ? (message as object) : undefined
  } catch {
    return undefined
  }
}

function closeCode(code: number | undefined): string {
  const sentences: Record<number, string> = {
    1001: ' because the server is going away',
    1006: ' without a word',
    1008: ' because the server does not accept this agent',
    1009: ' because a message was too large',
    1012: ' because the server is restarting',
    1013: ' because this agent did not read fast enough',
  }
  return code === undefined ? '' : (sentences[code] ?? ` (${code})`)
}

function turnedAwaySentence(status: number | undefined, body: string): string {
  const said = sentenceIn(body)
  if (said !== undefined) return said
  if (status === 401) return 'The server does not accept the proof of this agent.'
  if (status === 403) return 'The server has shut this host out. Look at the host in the dashboard.'
  if (status === 429 || status === 503) return 'The server is busy.'
  return `The server answered ${status} instead of opening a connection.`
}

/** A sentence of the server's own, when the body holds one: a JSON `message`, or a line of plain text. */
function sentenceIn(body: string): string | undefined {
  const text = body.trim()
  if (text === '' || text.startsWith('<')) return undefined
  if (!text.startsWith('{')) return text.split('\n')[0]?.slice(0, 300)
  try {
    const { message } = JSON.parse(text) as { message?: unknown }
    return typeof message === 'string' ? message : undefined
  } catch {
    return undefined
  }
}
