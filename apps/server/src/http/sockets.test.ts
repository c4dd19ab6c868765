// What the port promises to whoever dials it, friend or not.
import { once } from 'node:events'
import { connect } from 'node:net'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { until } from '@restic-manager/testkit/until'
import { hosts } from '../db/schema.ts'
import { apiKeys, operatorSessions } from '../db/schema-operators.ts'
import { joinAsAgent, openSocket } from '../testing-agent.ts'
import { startServer, type TestServer } from '../testing.ts'

let server: TestServer

beforeAll(async () => {
  server = await startServer({ socketLimits: { recheckMs: 50 } })
})
afterAll(() => server[Symbol.asyncDispose]())

/** No input, as superjson writes it. */
const nothing = { json: null, meta: { values: ['undefined'], v: 1 } }

const isAlive = async () => (await fetch(`${server.url}/healthz`)).status
const newAgent = async () => joinAsAgent(server.url, await server.createEnrolment())

async function signIn() {
  const { email, password } = await server.createOperator()
  const answer = await fetch(`${server.url}/auth/sign-in/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email, password }),
  })
  return answer.headers.getSetCookie()[0]?.split(';')[0] ?? ''
}

describe('who is let in', () => {
  test('an agent without a bearer, with a wrong one or with a used one is refused with 401', async () => {
    const agent = await newAgent()
    const authorization = `Bearer ${await agent.bearer()}`
    await expect(openSocket(`${server.url}/agent`, {})).rejects.toThrow('401')
    await expect(openSocket(`${server.url}/agent`, { authorization: 'Bearer wrong' })).rejects.toThrow('401')
    const { socket } = await openSocket(`${server.url}/agent`, { authorization })
    await expect(openSocket(`${server.url}/agent`, { authorization })).rejects.toThrow('401')
    socket.terminate()
  })

  test('a bearer that two present at the same moment opens one connection', async () => {
    const agent = await newAgent()
    const authorization = `Bearer ${await agent.bearer()}`
    const tries = await Promise.allSettled(
      Array.from({ length: 5 }, () => openSocket(`${server.url}/agent`, { authorization })),
    )
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })

  test('a host that was removed or put in quarantine after its proof is refused with 403', async () => {
    const agent = await newAgent()
    const authorization = `Bearer ${await agent.bearer()}`
    await server.db.update(hosts).set({ quarantinedAt: new Date() }).where(eq(hosts.id, agent.hostId))
    await expect(openSocket(`${server.url}/agent`, { authorization })).rejects.toThrow('403')
  })

  test('an operator needs a session or a key, and an agent bearer is neither', async () => {
    const agent = await newAgent()
    await expect(openSocket(`${server.url}/trpc`, {})).rejects.toThrow('401')
    await expect(openSocket(`${server.url}/trpc`, { authorization: 'Bearer rmk_x' })).rejects.toThrow('401')
    const authorization = `Bearer ${await agent.bearer()}`
    await expect(openSocket(`${server.url}/trpc`, { authorization })).rejects.toThrow('401')
    const key = await openSocket(`${server.url}/trpc`, { authorization: `Bearer ${server.apiKey}` })
    key.call(1, 'query', 'me.get', nothing)
    await until(() => key.frames.length === 1)
    expect(key.frames[0]).toMatchObject({ id: 1, result: { type: 'data' } })
    key.socket.terminate()
  })

  test('a cookie opens a WebSocket only from our own page', async () => {
    const cookie = await signIn()
    const own = { cookie, origin: server.url }
    await expect(openSocket(`${server.url}/trpc`, { cookie })).rejects.toThrow('403')
    for (const origin of ['https://evil.example', 'null', server.url.replace('127.0.0.1', 'localhost')])
      await expect(openSocket(`${server.url}/trpc`, { cookie, origin }), origin).rejects.toThrow('403')
    const { socket } = await openSocket(`${server.url}/trpc`, own)
    socket.terminate()
  })

  test('any other address is refused before a byte of WebSocket', async () => {
    await expect(openSocket(`${server.url}/elsewhere`, {})).rejects.toThrow('404')
    await expect(openSocket(`${server.url}/agentx`, {})).rejects.toThrow('404')
  })

  test('asking the server to wait for connection parameters changes nothing', async () => {
    const agent = await newAgent()
    const raw = await openSocket(`${server.url}/agent?connectionParams=1`, {
      authorization: `Bearer ${await agent.bearer()}`,
    })
    raw.call(1, 'mutation', 'agent.heartbeat', {})
    await until(() => raw.frames.length === 1)
    expect(raw.frames[0]?.error?.message).toContain('agent.hello')
    raw.socket.terminate()
  })
})

describe('who has to go', () => {
  test('a newer session of a host closes the older one', async () => {
    const agent = await newAgent()
    const first = await agent.dial()
    const second = await agent.dial()
    expect(await first.closed).toBe(4409)
    second.call(1, 'query', 'nothing')
    await until(() => second.frames.length === 1)
    second.socket.terminate()
  })

  test('the socket of a host is closed as soon as it is removed', async () => {
    const agent = await newAgent()
    const { closed } = await agent.dial()
    const { name } = await server.api.hosts.get.query({ hostId: agent.hostId })
    await server.api.hosts.remove.mutate({ hostId: agent.hostId, confirmName: name })
    expect(await closed).toBe(4403)
  })

  test('a revoked session or key closes the sockets it opened', async () => {
    const cookie = await signIn()
    const byCookie = await openSocket(`${server.url}/trpc`, { cookie, origin: server.url })
    const { apiKey, operatorId } = await server.createOperator()
    const byKey = await openSocket(`${server.url}/trpc`, { authorization: `Bearer ${apiKey}` })
    await server.db.delete(operatorSessions)
    await server.db.update(apiKeys).set({ revokedAt: new Date() }).where(eq(apiKeys.operatorId, operatorId))
    expect(await byCookie.closed).toBe(4401)
    expect(await byKey.closed).toBe(4401)
  })
})

describe('what a hostile peer gets', () => {
  test('malformed frames are answered and the process lives (row 39)', async () => {
    const agent = await newAgent()
    const raw = await agent.dial()
    const frames = [
      '',
      '{',
      'null',
      '[]',
      '[null]',
      '{"id":1}',
      '{"id":{},"method":"query"}',
      '"x"',
      '[[[[]]]]',
      '\u0000',
    ]
    frames.push(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)
    for (const frame of frames) raw.send(frame)
    raw.socket.send(Buffer.from([0xff, 0xfe, 0x00]))
    raw.call(7, 'mutation', 'agent.heartbeat', { deep: 1 })
    await until(() => raw.frames.some(frame => frame.id === 7))
    expect(raw.frames.every(frame => frame.error !== undefined)).toBe(true)
    expect(JSON.stringify(raw.frames)).not.toMatch(/\.ts|node_modules|at /)
    expect(await isAlive()).toBe(200)
    raw.socket.terminate()
  })

  test('50,000 calls in one frame cost one answer (row 39)', async () => {
    const agent = await newAgent()
    const raw = await agent.dial()
    raw.send(`[${Array.from({ length: 50_000 }, () => '{"id":1,"params":0}').join(',')}]`)
    raw.call(2, 'mutation', 'agent.heartbeat', {})
    await until(() => raw.frames.some(frame => frame.id === 2))
    expect(raw.frames).toHaveLength(2)
    expect(raw.frames[0]?.id).toBeNull()
    raw.socket.terminate()
  })

  test('a frame over 1 MiB closes the socket and nothing else', async () => {
    const agent = await newAgent()
    const raw = await agent.dial()
    raw.send('x'.repeat(2 * 1024 * 1024))
    expect(await raw.closed).toBe(1009)
    expect(await isAlive()).toBe(200)
  })

  test('a broken frame closes the socket and nothing else', async () => {
    const agent = await newAgent()
    const raw = await agent.dial()
    const tcp = (raw.socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket
    tcp.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 0x00]))
    expect([1002, 1006]).toContain(await raw.closed)
    expect(await isAlive()).toBe(200)
  })

  test('thousands of subscriptions on one socket are refused', async () => {
    const raw = await openSocket(`${server.url}/trpc`, { authorization: `Bearer ${server.apiKey}` })
    const before = server.listeners()
    for (let id = 1; id <= 2_000; id += 1) raw.call(id, 'subscription', 'live.changes', nothing)
    raw.call(0, 'query', 'me.get', nothing)
    await until(() => raw.frames.some(frame => frame.id === 0))
    expect(server.listeners() - before).toBeLessThanOrEqual(64)
    raw.socket.terminate()
    await until(() => server.listeners() === before)
  })

  test('connections of one address that never say who they are, or say nothing at all, are bounded and cut', async () => {
    await using small = await startServer({ socketLimits: { unproven: 4, headersMs: 500 } })
    const agent = await joinAsAgent(small.url, await small.createEnrolment())
    const good = await agent.dial()
    const idle = Array.from({ length: 12 }, () => {
      const socket = connect(small.port, '127.0.0.1').resume()
      socket.on('error', () => {})
      return { socket, closed: once(socket, 'close') }
    })
    await Promise.all(idle.map(({ closed }) => closed))
    expect((await fetch(`${small.url}/healthz`)).status).toBe(200)
    expect(good.socket.readyState).toBe(good.socket.OPEN)
  })
})

test('when connections go, no subscription stays behind', async () => {
  const before = server.listeners()
  const sockets = await Promise.all(
    Array.from({ length: 5 }, () =>
      openSocket(`${server.url}/trpc`, { authorization: `Bearer ${server.apiKey}` }),
    ),
  )
  for (const raw of sockets) raw.call(1, 'subscription', 'live.changes', nothing)
  await until(() => server.listeners() === before + 5)
  server.dropSockets()
  expect(await until(server.listeners, count => count === before)).toBe(before)
})

test('a server that stops asks everybody to come back and ends at once', async () => {
  await using leaving = await startServer()
  const agent = await joinAsAgent(leaving.url, await leaving.createEnrolment())
  const raw = await agent.dial()
  const page = await openSocket(`${leaving.url}/trpc`, { authorization: `Bearer ${leaving.apiKey}` })
  page.call(1, 'subscription', 'live.changes', nothing)
  await until(() => page.frames.length > 1)
  await leaving.stop()
  expect(await raw.closed).toBe(1012)
  expect(await page.closed).toBe(1012)
  await expect(fetch(`${leaving.url}/healthz`)).rejects.toThrow('fetch failed')
})
