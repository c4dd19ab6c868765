// What tRPC and ws do on a socket, as the agent channel and the page rely on it. An upgrade that changes one fails by name.
import {
  createTRPCClient,
  createWSClient,
  TRPCClientError,
  wsLink,
  type WebSocketClientOptions,
} from '@trpc/client'
import { initTRPC, tracked, TRPCError } from '@trpc/server'
import {
  applyWSSHandler,
  type CreateWSSContextFnOptions,
  type WSSHandlerOptions,
} from '@trpc/server/adapters/ws'
import { startTcpProxy } from '@restic-manager/testkit/tcp-proxy'
import { is, until } from '@restic-manager/testkit/until'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocket, WebSocketServer, type ClientOptions } from 'ws'
import { z } from 'zod'

const upgradeRequest =
  'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OTAxMjM0NQ==\r\n\r\n'

type Context = { req: { url?: string | undefined }; closed: AbortSignal }

const t = initTRPC.context<Context>().create()

/** A router whose procedures wait at gates and note what they do. */
function makeFarEnd() {
  const notes: string[] = []
  const signals: AbortSignal[] = []
  const gates = new Map<string, PromiseWithResolvers<void>>()
  const gate = (name: string) => {
    const known = gates.get(name) ?? Promise.withResolvers<void>()
    gates.set(name, known)
    return known
  }
  const Name = z.object({ name: z.string() })
  const router = t.router({
    echo: t.procedure.input(Name).query(({ input }) => {
      notes.push(`echo ${input.name}`)
      return input.name
    }),
    work: t.procedure.input(Name).mutation(async ({ input, signal }) => {
      notes.push(`begin ${input.name}`)
      if (signal) signals.push(signal)
      await gate(input.name).promise
      notes.push(`end ${input.name}`)
      return input.name
    }),
    fail: t.procedure.input(z.object({ password: z.string() })).mutation((): string => {
      throw new TRPCError({ code: 'BAD_REQUEST', message: 'no' })
    }),
    /** Yields what the plan of its name says, then returns, fails, or waits for the end. */
    events: t.procedure
      .input(z.object({ plan: z.string(), lastEventId: z.string().optional() }))
      .subscription(async function* ({ input, signal }) {
        notes.push(`subscribe ${input.plan} after ${input.lastEventId}`)
        try {
          if (input.plan === 'tracked') yield tracked('7', 'seven')
          if (input.plan === 'tracked then not') {
            yield tracked('7', 'seven')
            yield 'plain'
          }
          if (input.plan === 'return') return
          if (input.plan === 'fail') throw new Error('broken')
          if (input.plan === 'deaf') await gate('deaf').promise
          else if (signal && !signal.aborted) await once(signal, 'abort')
        } finally {
          notes.push(`leave ${input.plan}`)
        }
      }),
    flood: t.procedure.subscription(async function* () {
      const chunk = 'x'.repeat(1024 * 1024)
      for (let sent = 0; sent < 64; sent += 1) {
        yield chunk
        await new Promise(setImmediate)
      }
      notes.push('flooded')
    }),
  })
  return { router, notes, signals, gate }
}

type Router = ReturnType<typeof makeFarEnd>['router']

/** The shell as it is documented to be hardened: no server of its own, upgraded by hand, an error listener on each socket. */
async function startFarEnd(options: Partial<WSSHandlerOptions<Router>> = {}) {
  const farEnd = makeFarEnd()
  const errors: Error[] = []
  /** Paths called, in the order the frames came in. */
  const frames: string[] = []
  const http = createServer()
  const wss = new WebSocketServer({ noServer: true, maxPayload: 1024 * 1024, perMessageDeflate: false })
  const handler = applyWSSHandler({
    wss,
    router: farEnd.router,
    createContext: ({ req, info }: CreateWSSContextFnOptions): Context => ({ req, closed: info.signal }),
    ...options,
  } as WSSHandlerOptions<Router>)
  http.on('upgrade', (req, socket, head) => {
    wss.handleUpgrade(req, socket, head, ws => {
      ws.on('error', error => errors.push(error))
      ws.on('message', data => frames.push(...pathsIn(data.toString())))
      wss.emit('connection', ws, req)
    })
  })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const { port } = http.address() as AddressInfo
  onTestFinished(async () => {
    for (const ws of wss.clients) ws.terminate()
    http.close()
    await once(http, 'close')
  })
  return {
    ...farEnd,
    handler,
    wss,
    port,
    errors,
    frames,
    url: `ws://127.0.0.1:${port}`,
    drop: () => dropAll(wss),
  }
}

function pathsIn(text: string): string[] {
  return [...text.matchAll(/"path":"(\w+)"/g)].map(([, path = '']) => path)
}

function dropAll(wss: WebSocketServer) {
  for (const ws of wss.clients) ws.terminate()
}

function dial(url: string, options: Partial<WebSocketClientOptions> = {}) {
  const ws = createWSClient({ url, WebSocket: WebSocket as never, retryDelayMs: () => 5, ...options })
  onTestFinished(() => ws.close())
  return { ws, client: createTRPCClient<Router>({ links: [wsLink({ client: ws })] }) }
}

/** Subscribes and keeps what the callbacks said. */
function follow(client: ReturnType<typeof dial>['client'], plan: string) {
  const heard: string[] = []
  const subscription = client.events.subscribe(
    { plan },
    {
      onStarted: () => heard.push('started'),
      onData: value => heard.push(`data ${JSON.stringify(value)}`),
      onError: error => heard.push(`error ${error.message}`),
      onComplete: () => heard.push('complete'),
    },
  )
  return { heard, stop: () => subscription.unsubscribe() }
}

test('mutations sent in order run at the same time and may end in any order', async () => {
  const { url, notes, gate } = await startFarEnd()
  const { client } = dial(url)
  const first = client.work.mutate({ name: 'first' })
  const second = client.work.mutate({ name: 'second' })
  await until(() => notes.length, is(2))
  gate('second').resolve()
  await second
  gate('first').resolve()
  await first
  expect(notes).toEqual(['begin first', 'begin second', 'end second', 'end first'])
})

test('a mutation in flight when the socket drops is rejected although the server runs it to its end', async () => {
  const { url, notes, gate, drop } = await startFarEnd()
  const { client } = dial(url)
  const work = client.work.mutate({ name: 'once' }).catch((error: unknown) => error)
  await until(() => notes, is(['begin once']))
  drop()
  const error = await work
  expect(error).toBeInstanceOf(TRPCClientError)
  // No `data`: the server never answered. Its cause holds the whole socket, so it must not be logged as it is.
  expect(error).toMatchObject({ data: undefined, cause: { target: expect.any(WebSocket) } })
  gate('once').resolve()
  await until(() => notes, is(['begin once', 'end once']))
  expect(await client.echo.query({ name: 'later' })).toBe('later')
  expect(notes).toEqual(['begin once', 'end once', 'echo later'])
})

test('the signal of a mutation stays silent when its socket closes; the one given to createContext fires', async () => {
  const contexts: AbortSignal[] = []
  const { url, notes, signals, gate, drop } = await startFarEnd({
    createContext: ({ req, info }: CreateWSSContextFnOptions) => {
      contexts.push(info.signal)
      return { req, closed: info.signal }
    },
  })
  const { client, ws } = dial(url)
  const work = client.work.mutate({ name: 'x' }).catch(() => 'rejected')
  await until(() => notes.length)
  const closing = ws.close()
  drop()
  expect(await work).toBe('rejected')
  await until(() => contexts[0]?.aborted)
  expect(signals[0]?.aborted).toBe(false)
  gate('x').resolve()
  await closing
})

test.each([
  ['return', ['started', 'complete']],
  ['fail', ['started', 'error broken']],
])(
  'a subscription whose generator ends by "%s" has ended for good, whatever the link does later',
  async (plan, ending) => {
    const { url, notes, drop } = await startFarEnd()
    const { client, ws } = dial(url)
    const { heard } = follow(client, plan)
    await until(() => heard.length, is(2))
    const before = ws.connection?.id
    drop()
    await until(() => ws.connection?.state === 'open' && ws.connection.id !== before)
    await client.echo.query({ name: 'back' })
    expect(heard).toEqual(ending)
    expect(notes).toEqual([`subscribe ${plan} after undefined`, `leave ${plan}`, 'echo back'])
  },
)

test('a context that fails late ends a waiting subscription for good', async () => {
  const late = Promise.withResolvers<void>()
  let asked = 0
  const { url, frames, notes } = await startFarEnd({
    createContext: async ({ req, info }: CreateWSSContextFnOptions): Promise<Context> => {
      asked += 1
      if (asked > 1) return { req, closed: info.signal }
      await late.promise
      throw new TRPCError({ code: 'SERVICE_UNAVAILABLE', message: 'not yet' })
    },
  })
  const { client } = dial(url)
  const { heard } = follow(client, 'stay')
  await until(() => frames.includes('events'))
  late.resolve()
  await until(() => heard.length)
  expect(await client.echo.query({ name: 'back' })).toBe('back')
  expect(heard).toEqual(['error not yet'])
  expect(notes).toEqual(['echo back'])
})

test('an open subscription is sent again by itself on a reconnect, before what is asked meanwhile', async () => {
  const { url, frames, drop } = await startFarEnd()
  let asked: Promise<unknown> | undefined
  const { client } = dial(url, {
    onClose: () => {
      setImmediate(() => {
        asked ??= client.echo.query({ name: 'meanwhile' })
      })
    },
  })
  const { heard, stop } = follow(client, 'stay')
  await until(() => heard, is(['started']))
  drop()
  await until(() => asked)
  await asked
  expect(frames).toEqual(['events', 'events', 'echo'])
  stop()
})

test('what is asked inside onClose is dialled for at once, past retryDelayMs and before open subscriptions', async () => {
  const { url, frames, drop } = await startFarEnd()
  let asked: Promise<unknown> | undefined
  const { client } = dial(url, {
    retryDelayMs: () => 60_000,
    onClose: () => {
      asked ??= client.echo.query({ name: 'at once' })
    },
  })
  const { heard, stop } = follow(client, 'stay')
  await until(() => heard, is(['started']))
  drop()
  await until(() => asked)
  expect(await asked).toBe('at once')
  expect(frames).toEqual(['events', 'echo'])
  stop()
})

test('a reconnected subscription carries the id of its last value, which one untracked value erases', async () => {
  const { url, notes, drop } = await startFarEnd()
  const { client } = dial(url)
  const all = follow(client, 'tracked')
  const some = follow(client, 'tracked then not')
  await until(() => all.heard.length === 2 && some.heard.length === 3)
  drop()
  await until(() => notes.filter(note => note.startsWith('subscribe')).length, is(4))
  expect(notes.filter(note => note.startsWith('subscribe'))).toEqual([
    'subscribe tracked after undefined',
    'subscribe tracked then not after undefined',
    'subscribe tracked after 7',
    'subscribe tracked then not after undefined',
  ])
  all.stop()
  some.stop()
})

test('a generator that waits for its signal is left when the socket closes, one deaf to it is not', async () => {
  const { url, notes, gate, drop } = await startFarEnd()
  const { client, ws } = dial(url, { retryDelayMs: () => 60_000 })
  const stay = follow(client, 'stay')
  const deaf = follow(client, 'deaf')
  await until(() => notes.length, is(2))
  drop()
  await until(() => notes.at(-1), is('leave stay'))
  stay.stop()
  deaf.stop()
  void ws.close()
  const other = dial(url)
  await other.client.echo.query({ name: 'another' })
  expect(notes).not.toContain('leave deaf')
  gate('deaf').resolve()
  await until(() => notes.includes('leave deaf'))
})

test('a malformed frame closes its own socket and nothing else', async () => {
  const { url, port, errors, wss } = await startFarEnd()
  const { client } = dial(url)
  expect(await client.echo.query({ name: 'before' })).toBe('before')

  const raw = connect(port, '127.0.0.1')
  raw.on('error', () => {})
  raw.write(upgradeRequest)
  await once(raw, 'data')
  const closed = once(raw, 'close')
  raw.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))
  raw.resume()
  await closed
  expect(errors).toHaveLength(1)
  expect(errors[0]).toMatchObject({ code: 'WS_ERR_UNEXPECTED_RSV_2_3' })
  await until(() => wss.clients.size, is(1))
  expect(await client.echo.query({ name: 'after' })).toBe('after')
})

test('with a prefix of its own, applyWSSHandler lets a malformed frame on another path end the process', async () => {
  const program = `
    import { connect } from 'node:net'
    import { initTRPC } from '@trpc/server'
    import { applyWSSHandler } from '@trpc/server/adapters/ws'
    import { WebSocketServer } from 'ws'
    const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' }, () => {
      const raw = connect(wss.address().port, '127.0.0.1')
      raw.write(${JSON.stringify(upgradeRequest)})
      raw.once('data', () => raw.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff])))
      raw.once('close', () => setImmediate(() => process.exit(0)))
    })
    applyWSSHandler({ wss, prefix: '/trpc', router: initTRPC.create().router({}) })`
  const ended = promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: import.meta.dirname,
  })
  await expect(ended).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('WS_ERR_UNEXPECTED_RSV_2_3'),
  })
})

test('text that is no call is answered with an error and keeps the socket', async () => {
  const { url } = await startFarEnd()
  const ws = new WebSocket(url)
  onTestFinished(() => ws.terminate())
  await once(ws, 'open')
  const answers: { id: unknown; error: { data: { code: string } } }[] = []
  ws.on('message', data => answers.push(JSON.parse(data.toString())))
  ws.send('not json')
  ws.send('{"id":1,"method":"nonsense"}')
  await until(() => answers.length, is(2))
  expect(answers.map(({ error }) => error.data.code)).toEqual(['PARSE_ERROR', 'PARSE_ERROR'])
  expect(ws.readyState).toBe(WebSocket.OPEN)
})

test('a frame over maxPayload closes the socket with 1009', async () => {
  const { url, errors } = await startFarEnd()
  const ws = new WebSocket(url)
  await once(ws, 'open')
  const closed = once(ws, 'close')
  ws.send('x'.repeat(1024 * 1024 + 1))
  expect((await closed)[0]).toBe(1009)
  expect(errors[0]).toMatchObject({ code: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' })
})

test('calls made in one tick travel as one batch, and a batch over maxBatchSize is refused whole', async () => {
  const { url, notes } = await startFarEnd({ maxBatchSize: 3 })
  const { client } = dial(url)
  await client.echo.query({ name: 'open' })
  const names = ['a', 'b', 'c', 'd']
  const batch = await Promise.allSettled(names.map(name => client.echo.query({ name })))
  expect(batch.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected'])
  expect(notes).toEqual(['echo open'])
  expect(await Promise.all(names.slice(0, 3).map(name => client.echo.query({ name })))).toEqual([
    'a',
    'b',
    'c',
  ])
})

test('nothing holds a subscription back: all it yields is queued for a reader that stopped reading', async () => {
  const { url, notes, wss } = await startFarEnd()
  const ws = new WebSocket(url, { perMessageDeflate: false })
  onTestFinished(() => ws.terminate())
  await once(ws, 'open')
  ws.pause()
  ws.send(JSON.stringify({ id: 1, method: 'subscription', params: { path: 'flood' } }))
  await until(() => notes.includes('flooded'))
  const [socket] = wss.clients
  expect(socket?.bufferedAmount).toBeGreaterThan(32 * 1024 * 1024)
})

test('onError is given the input of the call that failed', async () => {
  const inputs: unknown[] = []
  const { url } = await startFarEnd({ onError: ({ input }) => inputs.push(input) })
  const { client } = dial(url)
  await expect(client.fail.mutate({ password: 'hunter2' })).rejects.toThrow('no')
  expect(inputs).toEqual([{ password: 'hunter2' }])
})

test('retryDelayMs is asked with 0, 1, 2 … while nobody answers, and from 0 after each connection', async () => {
  const { port, url, notes } = await startFarEnd()
  await using proxy = await startTcpProxy({ port })
  const attempts: number[] = []
  const { client } = dial(url.replace(String(port), String(proxy.port)), {
    retryDelayMs: attempt => {
      attempts.push(attempt)
      return 1
    },
  })
  await client.echo.query({ name: 'first' })
  expect(attempts).toEqual([])
  await proxy.set('refuse')
  proxy.dropAll()
  await until(() => attempts.length >= 3)
  await proxy.set('pass')
  await client.echo.query({ name: 'again' })
  expect(attempts.slice(0, 3)).toEqual([0, 1, 2])
  const before = attempts.length
  proxy.dropAll()
  await until(() => attempts.length > before)
  expect(attempts[before]).toBe(0)
  expect(notes).toEqual(['echo first', 'echo again'])
})

/** A client class with its own limits, as `WebSocket` of the tRPC client. */
function limited(limits: ClientOptions & { closeTimeout?: number }) {
  return class extends WebSocket {
    constructor(url: string) {
      super(url, { perMessageDeflate: false, ...limits })
    }
  } as never
}

test('with keepAlive on both ends, each end notices a black hole by itself', async () => {
  const { port, url, wss } = await startFarEnd({ keepAlive: { enabled: true, pingMs: 200, pongWaitMs: 200 } })
  await using proxy = await startTcpProxy({ port })
  const closed: unknown[] = []
  const { client } = dial(url.replace(String(port), String(proxy.port)), {
    WebSocket: limited({ closeTimeout: 50 }),
    keepAlive: { enabled: true, intervalMs: 200, pongTimeoutMs: 200 },
    retryDelayMs: () => 60_000,
    onClose: cause => closed.push(cause?.code),
  })
  await client.echo.query({ name: 'open' })
  expect(wss.clients.size).toBe(1)
  await proxy.set('blackhole')
  await until(() => wss.clients.size, is(0))
  await until(() => closed, is([1006]))
})

test('without a closeTimeout of its own, a socket in a black hole would take 30 s to close', () => {
  const ws = new WebSocket('ws://127.0.0.1:1')
  ws.on('error', () => {})
  expect(ws).toMatchObject({ _closeTimeout: 30_000 })
})

test('handshakeTimeout gives up on a far end that accepts and never answers', async () => {
  const { port, url } = await startFarEnd()
  await using proxy = await startTcpProxy({ port })
  await proxy.set('blackhole')
  const errors: unknown[] = []
  dial(url.replace(String(port), String(proxy.port)), {
    WebSocket: limited({ handshakeTimeout: 50 }),
    retryDelayMs: () => 60_000,
    onError: event => errors.push((event as unknown as { message: string }).message),
  })
  await until(() => errors.length)
  expect(errors[0]).toBe('Opening handshake has timed out')
})

test('close() inside onClose is the end of a client: it does not dial again', async () => {
  const { port, url, wss, drop } = await startFarEnd()
  await using proxy = await startTcpProxy({ port })
  const { client, ws } = dial(url.replace(String(port), String(proxy.port)), {
    retryDelayMs: () => 0,
    onClose: () => void ws.close(),
  })
  await client.echo.query({ name: 'x' })
  drop()
  await until(() => wss.clients.size, is(0))
  const other = dial(url)
  await other.client.echo.query({ name: 'y' })
  expect(proxy.counts.connections).toBe(1)
})

test('close() waits for a call in flight and keeps its socket open until then', async () => {
  const { url, wss, notes, gate } = await startFarEnd()
  const { client, ws } = dial(url)
  const work = client.work.mutate({ name: 'slow' })
  await until(() => notes.length)
  const closing = ws.close()
  const other = dial(url)
  await other.client.echo.query({ name: 'meanwhile' })
  expect(wss.clients.size).toBe(2)
  gate('slow').resolve()
  expect(await work).toBe('slow')
  await closing
  await until(() => wss.clients.size, is(1))
})

test('a dial that is refused at the upgrade says so with the status in onError, then calls onClose', async () => {
  const http = createServer((_, response) => response.end())
  http.on('upgrade', (_, socket) => socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n'))
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  onTestFinished(() => void http.close())
  const said: unknown[] = []
  const { ws } = dial(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`, {
    onError: event => said.push((event as unknown as { message: string }).message),
    onClose: cause => {
      said.push(cause?.code)
      void ws.close()
    },
  })
  await until(() => said.length, is(2))
  expect(said).toEqual(['Unexpected server response: 403', 1006])
})
