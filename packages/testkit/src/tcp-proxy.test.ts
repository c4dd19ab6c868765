// What the proxy promises, with real sockets at both ends.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { startTcpProxy } from './tcp-proxy.ts'
import { is, until } from './until.ts'

/** A far end that sends back what it gets and remembers how its sockets ended. */
async function startEcho(path?: string) {
  const sockets: Socket[] = []
  const seen = { bytes: 0, ended: 0, reset: 0 }
  const server = createServer({ allowHalfOpen: true }, socket => {
    sockets.push(socket)
    socket.on('data', chunk => {
      seen.bytes += chunk.length
      socket.write(chunk)
    })
    socket.on('end', () => {
      seen.ended += 1
      socket.end()
    })
    socket.on('error', () => {
      seen.reset += 1
    })
  })
  if (path === undefined) server.listen(0, '127.0.0.1')
  else server.listen(path)
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A client that remembers all it got and how its socket ended. */
async function dial(port: number) {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const got = { bytes: Buffer.alloc(0), ended: false, error: '' }
  socket.on('data', (chunk: Buffer) => {
    got.bytes = Buffer.concat([got.bytes, chunk])
  })
  socket.on('end', () => {
    got.ended = true
  })
  socket.on('error', (error: NodeJS.ErrnoException) => {
    got.error = error.code ?? error.message
  })
  await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => {})
  return { socket, got, text: () => got.bytes.toString(), [Symbol.dispose]: () => void socket.destroy() }
}

test('a passing link carries bytes both ways, counts them and passes the end on', async () => {
  await using echo = await startEcho()
  await using proxy = await startTcpProxy(echo)
  using client = await dial(proxy.port)
  client.socket.end('hello')
  await until(() => client.got.ended)
  expect(client.text()).toBe('hello')
  expect(echo.seen.ended).toBe(1)
  await until(() => proxy.counts.open, is(0))
  expect(proxy.counts).toEqual({ connections: 1, open: 0, up: 5, down: 5, swallowed: 0, held: 0 })
})

test('ten megabytes arrive whole and in order, whatever the mode did meanwhile', async () => {
  await using echo = await startEcho()
  await using proxy = await startTcpProxy(echo)
  using client = await dial(proxy.port)
  const sent = Buffer.alloc(10 * 1024 * 1024, '0123456789abcdefg')
  await proxy.set({ delayMs: 5 })
  client.socket.write(sent)
  await until(() => client.got.bytes.length > 0)
  await proxy.set({ bytesPerSecond: 64 * 1024 * 1024 })
  await until(() => client.got.bytes.length > sent.length / 4)
  await proxy.set('pass')
  await until(() => client.got.bytes.length, is(sent.length))
  expect(client.got.bytes.equals(sent)).toBe(true)
})

test('a black hole swallows both ways and hides the end of the stream', async () => {
  await using echo = await startEcho()
  await using proxy = await startTcpProxy(echo)
  using client = await dial(proxy.port)
  client.socket.write('before')
  await until(client.text, is('before'))
  await proxy.set('blackhole')
  client.socket.end('lost')
  await until(() => proxy.counts.swallowed, is(4))
  expect(echo.seen).toEqual({ bytes: 6, ended: 0, reset: 0 })
  expect(client.got.ended).toBe(false)
  expect(proxy.counts.open).toBe(1)
})

test('a link that lost bytes stays silent after the black hole, a new one works', async () => {
  await using echo = await startEcho()
  await using proxy = await startTcpProxy(echo)
  using old = await dial(proxy.port)
  await until(() => proxy.counts.open, is(1))
  await proxy.set('blackhole')
  old.socket.write('lost')
  await until(() => proxy.counts.swallowed, is(4))
  await proxy.set('pass')
  old.socket.write('also lost')
  await until(() => proxy.counts.swallowed, is(13))
  using fresh = await dial(proxy.port)
  fresh.socket.write('here')
  await until(fresh.text, is('here'))
  expect(old.text()).toBe('')
})

test('one-way loss carries the other way on', async () => {
  await using echo = await startEcho()
  await using proxy = await startTcpProxy(echo)
  using client = await dial(proxy.port)
  await proxy.set('dropDown')
  client.socket.write('up')
  await until(() => echo.seen.bytes, is(2))
  await until(() => proxy.counts.swallowed, is(2))
  expect(client.text()).toBe('')

  await proxy.set('dropUp')
  using other = await dial(proxy.port)
  other.socket.write('gone')
  await until(() => proxy.counts.swallowed, is(6))
  expect(echo.seen.bytes).toBe(2)
})

test('reset ends open links and new ones with a reset at both ends', async () => {
  await using echo = await startEcho()
  await using proxy = await startTcpProxy(echo)
  using open = await dial(proxy.port)
  open.socket.write('x')
  await until(open.text, is('x'))
  await proxy.set('reset')
  await until(() => open.got.error, is('ECONNRESET'))
  await until(() => echo.seen.reset, is(1))
  using fresh = await dial(proxy.port)
  await until(() => fresh.got.error, is('ECONNRESET'))
  expect(proxy.counts.connections).toBe(2)
})

test('a half-closed link has ended for the client, whose bytes still pass', async () => {
  await using echo = await startEcho()
  await using proxy = await startTcpProxy(echo)
  using client = await dial(proxy.port)
  await until(() => proxy.counts.open, is(1))
  await proxy.set('halfClose')
  await until(() => client.got.ended)
  client.socket.write('still')
  expect(await until(() => echo.seen.bytes, is(5))).toBe(5)
})

test('a delay holds bytes back until it is over or the mode changes', async () => {
  await using echo = await startEcho()
  await using proxy = await startTcpProxy(echo)
  using client = await dial(proxy.port)
  await proxy.set({ delayMs: Infinity })
  client.socket.write('one ')
  await until(() => proxy.counts.held, is(4))
  client.socket.write('two')
  await until(() => proxy.counts.held, is(7))
  expect(echo.seen.bytes).toBe(0)
  await proxy.set('pass')
  await until(client.text, is('one two'))
  await proxy.set({ delayMs: 1 })
  client.socket.write('!')
  await until(client.text, is('one two!'))
})

test('a slow link hands on a little at a time', async () => {
  await using echo = await startEcho()
  await using proxy = await startTcpProxy(echo)
  using client = await dial(proxy.port)
  await proxy.set({ bytesPerSecond: 1000 })
  client.socket.write(Buffer.alloc(500_000, 'x'))
  await until(() => client.got.bytes.length > 0)
  expect(proxy.counts.held).toBeGreaterThan(0)
  await proxy.set('pass')
  await until(() => client.got.bytes.length, is(500_000))
})

test('a refusing proxy lets open links be and listens on the same port again', async () => {
  await using echo = await startEcho()
  await using proxy = await startTcpProxy(echo)
  using open = await dial(proxy.port)
  await until(() => proxy.counts.open, is(1))
  await proxy.set('refuse')
  using refused = await dial(proxy.port)
  expect(refused.got.error).toBe('ECONNREFUSED')
  open.socket.write('x')
  await until(open.text, is('x'))
  await proxy.set('pass')
  using fresh = await dial(proxy.port)
  fresh.socket.write('y')
  await until(fresh.text, is('y'))
})

test('dropAll resets what is open and lets new links through to where the target moved', async () => {
  await using first = await startEcho()
  await using second = await startEcho()
  await using proxy = await startTcpProxy(first)
  using open = await dial(proxy.port)
  open.socket.write('x')
  await until(open.text, is('x'))
  proxy.dropAll()
  await until(() => open.got.error, is('ECONNRESET'))
  await until(() => proxy.counts.open, is(0))
  proxy.retarget(second)
  using fresh = await dial(proxy.port)
  fresh.socket.write('y')
  await until(fresh.text, is('y'))
  expect(second.seen.bytes).toBe(1)
})

test('the far end may listen on a unix socket', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'proxy-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  const path = join(dir, 'socket')
  await using echo = await startEcho(path)
  await using proxy = await startTcpProxy({ path })
  using client = await dial(proxy.port)
  client.socket.write('x')
  await until(client.text, is('x'))
  proxy.dropAll()
  await until(() => client.got.error, is('ECONNRESET'))
  await until(() => echo.seen.ended, is(1))
  expect(proxy.counts.connections).toBe(1)
})

test('a link to a far end that is down is reset', async () => {
  await using proxy = await startTcpProxy({ port: 1 })
  using client = await dial(proxy.port)
  expect(await until(() => client.got.error, is('ECONNRESET'))).toBe('ECONNRESET')
})
