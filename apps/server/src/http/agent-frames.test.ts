// What goes over an agent's connection, frame by frame: answers, streams, and what is refused.
import { EventEmitter } from 'node:events'
import { type Duplex, Writable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { WebSocket } from 'ws'
import { until } from '@restic-manager/testkit/until'
import { connectMachine, helloOf, makeHost } from '../testing-fleet.ts'
import { routerParts } from '../testing-routers.ts'
import { textsIn } from '../testing-frames.ts'
import { serveFrames } from './agent-frames.ts'

let parts: Awaited<ReturnType<typeof routerParts>>
beforeAll(async () => {
  parts = await routerParts()
})
afterAll(() => parts.close())

type Frame = { id: number | null; result?: { type: string; data?: unknown }; error?: { data: unknown } }

/** The peer of a connection that is served: what it says, and all that it is told. */
async function connect() {
  const host = await makeHost(parts.database.db, parts.database.seal)
  const closed = new AbortController()
  const told: Frame[] = []
  const failed: (string | undefined)[] = []
  const hear = (text: string) => void told.push(JSON.parse(text.startsWith('P') ? `"${text}"` : text))
  const socket = Object.assign(new EventEmitter(), {
    ...{ OPEN: 1, readyState: 1 },
    send: hear,
  })
  const counts = { pending: 0, writes: 0 }
  const stream = new Writable({
    write(bytes: Buffer, _encoding, done) {
      counts.writes += 1
      textsIn(bytes).forEach(hear)
      done()
    },
  })
  serveFrames({
    socket: socket as unknown as WebSocket,
    stream: stream as Duplex,
    link: {
      ...{ read: text => JSON.parse(String(text)), weigh() {} },
      began: () => void (counts.pending += 1),
      ended: () => void (counts.pending -= 1),
      refused: (_reason, sentence) => new Error(sentence),
    },
    mostSubscriptions: 8,
    ctx: parts.agentContext(host.sender, closed.signal),
    onError: path => void failed.push(path),
  })
  const say = (frame: unknown) => void socket.emit('message', Buffer.from(JSON.stringify(frame)), false)
  const call = (id: number | null, method: string, path: string, input?: unknown) =>
    say({ id, method, params: { path, input } })
  return {
    ...{ host, closed, told, failed, counts, socket, say, call },
    answerTo: (id: number) => until(() => told.find(frame => frame.id === id)),
    async hello() {
      call(1, 'mutation', 'agent.hello', helloOf())
      await until(() => told.length === 1)
      told.splice(0)
    },
  }
}

test('a call is answered under its id, and a refused one with its class and its code', async () => {
  const { call, answerTo, failed } = await connect()
  const beat = { sentAt: '2026-11-23T07:00:00.000Z', spool: { facts: 0, logBytes: 0 } }
  call(1, 'mutation', 'agent.heartbeat', beat)
  expect(await answerTo(1)).toMatchObject({ error: { data: { refusal: 'hello_first' } } })
  call(2, 'mutation', 'agent.hello', helloOf())
  expect(await answerTo(2)).toMatchObject({ result: { type: 'data', data: { protocol: {} } } })
  call(3, 'mutation', 'agent.heartbeat', beat)
  expect(await answerTo(3)).toMatchObject({ result: { data: { serverTime: expect.any(String) } } })
  call(4, 'mutation', 'agent.heartbeat', { sentAt: 'noon' })
  expect(await answerTo(4)).toMatchObject({ error: { data: { code: 'BAD_REQUEST', refusal: 'bad_input' } } })
  call(5, 'mutation', 'agent.dance')
  expect(await answerTo(5)).toMatchObject({ error: { data: { code: 'NOT_FOUND' } } })
  call(6, 'query', 'agent.heartbeat', beat)
  expect(await answerTo(6)).toMatchObject({ error: { data: { code: 'NOT_FOUND' } } })
  expect(failed).toEqual(['agent.heartbeat', 'agent.heartbeat', 'agent.dance', 'agent.heartbeat'])
})

test('a stream says that it has begun, what comes, and that it was stopped; its id is free again', async () => {
  const { call, say, hello, told } = await connect()
  const before = parts.bus.listeners()
  await hello()
  for (const round of [1, 2]) {
    told.splice(0)
    call(2, 'subscription', 'agent.orders')
    await until(() => told.length === 2)
    expect(told).toMatchObject([
      { id: 2, result: { type: 'started' } },
      { id: 2, result: { type: 'data', data: { order: 'config.update' } } },
    ])
    say({ id: 2, method: 'subscription.stop' })
    await until(() => told.length === 3)
    expect(told[2], `round ${round}`).toEqual({ id: 2, result: { type: 'stopped' } })
    expect(parts.bus.listeners()).toBe(before)
  }
})

test('a second stream under the id of a running one is refused, and the first goes on', async () => {
  const { host, call, hello, told } = await connect()
  await hello()
  call(2, 'subscription', 'agent.orders')
  await until(() => told.length === 2)
  call(2, 'subscription', 'schedule.set')
  await until(() => told.length === 3)
  expect(told[2]).toMatchObject({ id: 2, error: { data: { code: 'BAD_REQUEST' } } })
  const { jobId } = await host.backUp()
  await until(() => told.length === 4)
  expect(told[3]).toMatchObject({ id: 2, result: { data: { order: 'command.run', jobId } } })
})

test('a stream that fails says why and then stops; one whose connection is closed ends without a word', async () => {
  const { host, closed, socket, call, hello, told, failed } = await connect()
  const before = parts.bus.listeners()
  await hello()
  call(2, 'subscription', 'agent.orders')
  call(3, 'subscription', 'schedule.set')
  await until(() => told.length === 4)
  told.splice(0)
  await connectMachine(parts.database.db, host.machine)
  await host.backUp()
  await until(() => told.length === 2)
  expect(told).toMatchObject([
    { id: 2, error: { data: { code: 'CONFLICT', refusal: 'session_fenced' } } },
    { id: 2, result: { type: 'stopped' } },
  ])
  expect(failed).toEqual(['agent.orders'])
  socket.readyState = 3
  closed.abort()
  await until(() => parts.bus.listeners() === before)
  expect(told).toHaveLength(2)
})

test('a frame that cannot be read, or has no id, is refused, and the connection goes on', async () => {
  const { socket, say, call, told } = await connect()
  socket.emit('message', Buffer.from('{'), false)
  say({ id: 1, method: 'dance' })
  say([7])
  call(null, 'mutation', 'agent.hello', helloOf())
  socket.emit('message', Buffer.from('PING'), false)
  await until(() => told.length === 5)
  const refused = { id: null, error: { message: expect.any(String) } }
  expect(told).toMatchObject([refused, refused, refused, refused, 'PONG'])
})

test('every call counts until it is answered, also those that share an id', async () => {
  const { call, hello, counts, told } = await connect()
  await hello()
  const ack = { version: 0, appliedAt: '2026-11-23T07:00:00.000Z' }
  for (let round = 0; round < 3; round += 1) call(7, 'mutation', 'config.ack', ack)
  expect(counts.pending).toBe(3)
  await until(() => told.length === 3)
  expect(counts.pending).toBe(0)
})

test('an agent has so many streams, however often it asks for one under an id in use', async () => {
  const { call, hello, told } = await connect()
  await hello()
  for (let id = 2; id < 10; id += 1) {
    call(id, 'subscription', 'schedule.set')
    call(id, 'subscription', 'schedule.set')
  }
  // Each has begun and told the plan, and its double was refused, but for the last one's, which was one too many.
  await until(() => told.length === 24)
  expect(told.filter(({ id, error }) => error !== undefined && id !== null)).toHaveLength(7)
  call(10, 'subscription', 'schedule.set')
  await until(() => told.length === 25)
  expect(told[24]).toMatchObject({ id: null, error: { data: {} } })
})

test('what is said to many calls of one turn leaves in one piece, in the order of the calls', async () => {
  const { hello, call, counts, told } = await connect()
  await hello()
  const before = counts.writes
  const beat = { sentAt: '2026-11-23T07:00:00.000Z', spool: { facts: 0, logBytes: 0 } }
  for (let id = 2; id < 8; id += 1) call(id, 'mutation', 'agent.heartbeat', beat)
  await until(() => told.length === 6)
  expect(told.map(({ id }) => id)).toEqual([2, 3, 4, 5, 6, 7])
  expect(counts.writes - before).toBe(1)
})
