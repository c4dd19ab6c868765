// What one link promises: a reader that does not read costs little, a dead peer is noticed, a stalled loop is forgiven.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { initTRPC } from '@trpc/server'
import { getWSConnectionHandler } from '@trpc/server/adapters/ws'
import { afterEach, expect, test } from 'vitest'
import { WebSocketServer } from 'ws'
import { startTcpProxy } from '@restic-manager/testkit/tcp-proxy'
import { until } from '@restic-manager/testkit/until'
import { openSocket, type RawSocket } from '../testing-agent.ts'
import { type Link, type LinkLimits, makeLink } from './socket-link.ts'
import { standardLimits } from './sockets.ts'
import { encoderOf } from './trpc-encoder.ts'

const MiB = 1024 * 1024
const limits: LinkLimits = { ...standardLimits, pingMs: 12_000, pongMs: 12_000 }
const opened: { close(): void }[] = []
afterEach(() => {
  for (const thing of opened.splice(0)) thing.close()
})

/** A server with one link to a client that can be held up. `gate` holds every call of `slow`; after `hoard` what is said waits. */
async function connectOne(wish: Partial<LinkLimits> = {}) {
  const counts = { said: 0, ended: 0, running: 0, most: 0, held: 0, mostHeld: 0, mostQueued: 0 }
  const gate = Promise.withResolvers<void>()
  const t = initTRPC.context<{ link: Link }>().create()
  const router = t.router({
    flood: t.procedure.subscription(async function* ({ ctx, signal }) {
      const block = 'x'.repeat(64 * 1024)
      try {
        while (!ctx.link.closed.aborted && !signal?.aborted) {
          await ctx.link.room()
          counts.said += 1
          yield block
        }
      } finally {
        counts.ended += 1
      }
    }),
    pages: t.procedure.subscription(async function* ({ ctx, signal }) {
      while (!ctx.link.closed.aborted && !signal?.aborted) {
        using _floor = await ctx.link.floor()
        counts.held += 1
        counts.mostHeld = Math.max(counts.mostHeld, counts.held)
        yield 'x'.repeat(MiB)
        counts.held -= 1
        counts.said += 1
      }
    }),
    large: t.procedure.query(() => 'x'.repeat(MiB)),
    slow: t.procedure.mutation(async () => {
      counts.running += 1
      counts.most = Math.max(counts.most, counts.running)
      await gate.promise
      counts.running -= 1
    }),
  })
  const acceptor = new WebSocketServer({ noServer: true, perMessageDeflate: false })
  const server = createServer()
  const accepted = Promise.withResolvers<{ link: Link; hoard(): void; waiting(): number }>()
  server.on('upgrade', (request, socket, head) =>
    acceptor.handleUpgrade(request, socket, head, webSocket => {
      const link = makeLink(webSocket, { ...limits, ...wish })
      const ctx = { link }
      const encoder = encoderOf(link, limits)
      getWSConnectionHandler({
        wss: acceptor,
        router,
        createContext: () => ctx,
        experimental_encoder: {
          ...encoder,
          encode(message) {
            counts.mostQueued = Math.max(counts.mostQueued, webSocket.bufferedAmount)
            return encoder.encode(message)
          },
        },
      })(webSocket, request)
      accepted.resolve({ link, hoard: () => socket.cork(), waiting: () => webSocket.bufferedAmount })
    }),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await startTcpProxy({ port: (server.address() as AddressInfo).port })
  const raw: RawSocket = await openSocket(`http://127.0.0.1:${proxy.port}/`, {})
  opened.push({
    close() {
      raw.socket.terminate()
      void proxy[Symbol.asyncDispose]()
      server.closeAllConnections()
      server.close()
    },
  })
  return { ...(await accepted.promise), raw, proxy, counts, gate }
}

test('a paused reader of an endless subscription holds up the writer after about a megabyte', async () => {
  const { raw, counts } = await connectOne()
  raw.call(1, 'subscription', 'flood')
  await until(() => raw.frames.length > 20)
  raw.socket.pause()
  let before = -1
  await until(() => counts.said === before || ((before = counts.said), false), undefined, { everyMs: 250 })
  const held = counts.said
  // What the two kernels and the proxy hold comes on top of the megabyte.
  expect((held - raw.frames.length) * 64 * 1024).toBeLessThan(48 * MiB)
  raw.socket.resume()
  await until(() => counts.said > held + 20)
})

test('a reader that has asked for very much and stops reading costs a few mebibytes, in values that wait and in bytes that are queued', async () => {
  const { raw, counts, link } = await connectOne({ mostWaitMs: 300 })
  raw.socket.pause()
  for (let id = 0; id < 40; id += 1) raw.call(id, 'subscription', 'pages')
  for (let id = 40; id < 64; id += 1) raw.call(id, 'subscription', 'flood')
  await until(() => link.closed.aborted)
  expect(counts.mostQueued).toBeLessThanOrEqual(4 * MiB)
  expect(counts.mostHeld).toBe(1)
})

test('answers that nobody reads are queued up to a few mebibytes, then their reader is given up', async () => {
  const { raw, counts, link } = await connectOne()
  raw.socket.pause()
  for (let id = 0; id < 60; id += 1) raw.call(id, 'query', 'large')
  await until(() => link.closed.aborted)
  expect(counts.mostQueued).toBeLessThanOrEqual(7 * MiB)
})

test('a reader that never reads is given up with 1013, and its subscription reaches its end', async () => {
  const { raw, counts, link } = await connectOne({ mostWaitMs: 200 })
  raw.call(1, 'subscription', 'flood')
  await until(() => raw.frames.length > 5)
  raw.socket.pause()
  await until(() => link.closed.aborted)
  await until(() => counts.ended === 1)
  raw.socket.resume()
  expect(await raw.closed).toBe(1013)
})

test('a peer that pings and pings and takes no answer is given up as well', async () => {
  const { link, raw, hoard, waiting } = await connectOne({ roomBytes: 1_000, mostWaitMs: 5_000 })
  hoard()
  for (let ping = 0; ping < 20; ping += 1) raw.socket.ping('x'.repeat(100))
  await until(() => waiting() > 1_000)
  link.tick(performance.now(), 0)
  expect(link.closed.aborted).toBe(false)
  link.tick(performance.now() + 6_000, 0)
  expect(link.closed.aborted).toBe(true)
})

test('one text that is larger than the room and is not taken is not forgotten', async () => {
  const { link, raw, hoard, waiting } = await connectOne({ mostWaitMs: 5_000 })
  hoard()
  raw.call(1, 'query', 'large')
  await until(() => waiting() > MiB)
  link.tick(performance.now(), 0)
  link.tick(performance.now() + 6_000, 0)
  expect(link.closed.aborted).toBe(true)
})

test('a writer that never waits by itself hears that its reader broke off', async () => {
  for (let round = 0; round < 5; round += 1) {
    const { raw, counts, proxy } = await connectOne()
    raw.call(1, 'subscription', 'flood')
    await until(() => raw.frames.length > 5)
    proxy.dropAll()
    await until(() => counts.ended === 1)
  }
})

test('a peer with too many calls under way is not read until some are answered', async () => {
  const { raw, counts, gate, link } = await connectOne({ mostPending: 4 })
  raw.call(0, 'mutation', 'slow')
  await until(() => counts.running === 1)
  const padding = 'x'.repeat(200 * 1024)
  for (let id = 1; id <= 20; id += 1) raw.call(id, 'mutation', 'slow', padding)
  await until(() => link.pending() >= 4)
  expect(counts.most).toBeLessThanOrEqual(5)
  gate.resolve()
  await until(() => raw.frames.length === 21)
  expect(counts.most).toBeLessThanOrEqual(5)
  expect(link.pending()).toBe(0)
})

test('a peer that went silent is pinged, then cut', async () => {
  const { link, proxy } = await connectOne({ pingMs: 1_000, pongMs: 1_000 })
  await proxy.set('blackhole')
  const start = performance.now()
  link.tick(start + 1_100, 0)
  expect(link.closed.aborted).toBe(false)
  link.tick(start + 2_000, 0)
  expect(link.closed.aborted).toBe(false)
  link.tick(start + 2_200, 0)
  await until(() => link.closed.aborted)
})

test('a peer that answers pings stays, however long it says nothing', async () => {
  const { link, raw } = await connectOne({ pingMs: 50, pongMs: 60_000 })
  let pings = 0
  raw.socket.on('ping', () => (pings += 1))
  // A second ping is only sent once the first was answered.
  await until(() => {
    link.tick(performance.now(), 0)
    return pings >= 3
  })
  expect(link.closed.aborted).toBe(false)
})

test('when our own event loop stalled, nobody is cut for the time it slept', async () => {
  const { link } = await connectOne({ pingMs: 1_000, pongMs: 1_000 })
  const start = performance.now()
  link.tick(start + 1_100, 0)
  link.tick(start + 11_000, 9_800)
  expect(link.closed.aborted).toBe(false)
})

test('a link told to hush reads nothing more and still answers what it has read', async () => {
  const { link, raw, counts, gate } = await connectOne()
  raw.call(1, 'mutation', 'slow')
  await until(() => counts.running === 1)
  link.hush()
  raw.call(2, 'mutation', 'slow')
  gate.resolve()
  await until(() => link.pending() === 0)
  link.close('restart')
  expect(await raw.closed).toBe(1012)
  expect(raw.frames.filter(frame => frame.id === 1)).toHaveLength(1)
})
