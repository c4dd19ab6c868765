// One connection of a simulated agent. It speaks the frames of tRPC itself, so that thousands fit into one process.
import type { Agent } from 'node:http'
import { TurnedAway } from '@restic-manager/agent/link'
import type { Timing } from '@restic-manager/contract/timing'
import { WebSocket } from 'ws'
import type { TimerWheel } from './timer-wheel.ts'

/** What reads an answer: a schema of the contract. */
export type Reader<T> = { parse(value: unknown): T }

export type SimulatedLink = {
  /** Rejects with `Refused` when the server says no, with `NoAnswer` when it says nothing. */
  call<T>(path: string, input: unknown, answer: Reader<T>, waitMs?: number): Promise<T>
  /** Nobody but the end of the link ends a subscription. */
  subscribe(path: string, onData: (data: unknown) => void): void
  isOpen(): boolean
  /** Whether the server closed it because it restarts. */
  isRestart(): boolean
  /** Ends it without a word. Safe to call twice. */
  cut(): void
}

/** The server's no, in its own words. */
export class Refused extends Error {
  readonly code: string
  /** Where an agent's own client has the code, so that its rules about dialling again can read this error too. */
  readonly data: { code: string }
  constructor(code: string, sentence: string) {
    super(sentence)
    this.code = code
    this.data = { code }
  }
}

/** The server may have acted or not. */
export class NoAnswer extends Error {}

/** The other end said something that the contract does not know. */
export class Misunderstood extends Error {}

/** What a call that failed means: try again, the session is over, or never. */
export function afterFailure(error: unknown): 'again' | 'redial' | 'setAside' {
  if (!(error instanceof Refused)) return 'again'
  if (['UNAUTHORIZED', 'FORBIDDEN', 'CONFLICT', 'PRECONDITION_FAILED'].includes(error.code)) return 'redial'
  return ['BAD_REQUEST', 'NOT_FOUND'].includes(error.code) ? 'setAside' : 'again'
}

type Frame = {
  id?: number | null
  method?: string
  result?: { type: 'data' | 'started' | 'stopped'; data?: unknown }
  error?: { message?: string; data?: { code?: string } }
}

export type Dialling = {
  url: string
  bearer: string
  localAddress?: string | undefined
  /** Whose connection is used again. */
  connection?: Agent
  timing: Pick<Timing, 'ping' | 'pong' | 'handshake' | 'answer'>
  wheel: TimerWheel
  onClosed(): void
  /** Its peer does not answer any more; the link is still open at this end. */
  onSilent(): void
}

const MOST_FRAME_BYTES = 16 * 1024 * 1024

/** Opens a connection. Rejects when it cannot be opened, with `TurnedAway` when the server said no. */
export async function dial({
  url,
  bearer,
  localAddress,
  connection,
  timing,
  wheel,
  onClosed,
  onSilent,
}: Dialling): Promise<SimulatedLink> {
  const address = new URL('agent', url.endsWith('/') ? url : `${url}/`)
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'
  const socket = new WebSocket(address, {
    headers: { authorization: `Bearer ${bearer}` },
    handshakeTimeout: timing.handshake,
    maxPayload: MOST_FRAME_BYTES,
    perMessageDeflate: false,
    followRedirects: false,
    ...(localAddress === undefined ? {} : { localAddress }),
    ...(connection === undefined ? {} : { agent: connection }),
  })
  const calls = new Map<number, (frame: Frame | undefined) => void>()
  const streams = new Map<number, (data: unknown) => void>()
  let lastId = 0
  let heard = true
  let callOffPing = () => {}
  let isOver = false
  let isRestart = false

  function end() {
    if (isOver) return
    isOver = true
    callOffPing()
    socket.terminate()
    for (const settle of calls.values()) settle(undefined)
    calls.clear()
    onClosed()
  }

  function watch() {
    heard = false
    socket.ping()
    callOffPing = wheel.after(timing.pong, () => {
      if (!heard) return onSilent()
      callOffPing = wheel.after(timing.ping, watch)
    })
  }

  function take(data: unknown) {
    heard = true
    const text = String(data)
    if (text === 'PING') return socket.send('PONG')
    if (text === 'PONG') return undefined
    const frame = JSON.parse(text) as Frame
    const id = frame.id ?? undefined
    if (id === undefined) return frame.method === 'reconnect' ? end() : undefined
    const settle = calls.get(id)
    if (settle !== undefined) {
      calls.delete(id)
      return settle(frame)
    }
    const onData = streams.get(id)
    if (onData === undefined) return undefined
    if (frame.error !== undefined || frame.result?.type === 'stopped') return end()
    if (frame.result?.type === 'data') onData(frame.result.data)
    return undefined
  }

  const opened = Promise.withResolvers<void>()
  socket.on('open', opened.resolve)
  socket.on('error', opened.reject)
  socket.on('unexpected-response', (_request, response) => {
    response.resume()
    const status = response.statusCode ?? 0
    opened.reject(new TurnedAway(status, `answered ${status}`, response.headers['retry-after']))
    socket.terminate()
  })
  socket.on('close', code => {
    isRestart = code === 1012 || code === 1001
    end()
  })
  socket.on('close', () => opened.reject(new NoAnswer('the connection was closed')))
  socket.on('message', take)
  socket.on('pong', () => (heard = true))
  await opened.promise
  callOffPing = wheel.after(timing.ping, watch)

  function send(method: 'mutation' | 'subscription', path: string, input: unknown): number {
    const id = (lastId += 1)
    socket.send(JSON.stringify({ id, method, params: { path, input } }))
    return id
  }

  return {
    call(path, input, answer, waitMs = timing.answer) {
      if (isOver) return Promise.reject(new NoAnswer('the link is over'))
      const { promise, resolve, reject } = Promise.withResolvers<Frame | undefined>()
      const id = send('mutation', path, input)
      const callOff = wheel.after(waitMs, () => {
        calls.delete(id)
        reject(new NoAnswer(`no answer to ${path}`))
      })
      calls.set(id, resolve)
      return promise.finally(callOff).then(frame => {
        if (frame === undefined) throw new NoAnswer('the link is over')
        if (frame.error !== undefined)
          throw new Refused(frame.error.data?.code ?? 'INTERNAL_SERVER_ERROR', frame.error.message ?? '')
        try {
          return answer.parse(frame.result?.data)
        } catch (error) {
          throw new Misunderstood(`the answer to ${path}: ${String(error)}`)
        }
      })
    },
    subscribe(path, onData) {
      streams.set(send('subscription', path, undefined), onData)
    },
    isOpen: () => !isOver,
    isRestart: () => isRestart,
    cut: end,
  }
}
