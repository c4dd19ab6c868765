// Whatever is refused at the doors is refused with a reason, and counted by it.
import { connect } from 'node:net'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { until } from '@restic-manager/testkit/until'
import { hosts } from '../db/schema.ts'
import { joinAsAgent, openSocket, type RawSocket } from '../testing-agent.ts'
import { helloOf } from '../testing-fleet.ts'
import { startServer, type TestServer } from '../testing.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server[Symbol.asyncDispose]())

/** What was counted since the last look, with zero left out. */
let seen: Record<string, number> = {}
function since(): Record<string, number> {
  const now = server.turnedAway()
  const more = Object.entries(now).map(([reason, count]) => [reason, count - (seen[reason] ?? 0)] as const)
  seen = now
  return Object.fromEntries(more.filter(([, count]) => count > 0))
}
/** Does it and answers what was counted by it. */
async function counted(act: () => Promise<unknown>, reason: string): Promise<Record<string, number>> {
  since()
  const before = seen[reason] ?? 0
  await act()
  await until(() => (server.turnedAway()[reason] ?? 0) > before)
  return since()
}
const refused = (path: string, headers: Record<string, string>) => () =>
  expect(openSocket(`${server.url}${path}`, headers)).rejects.toThrow('refused with 4')
const post = (path: string, body: string, headers: Record<string, string> = {}) =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })
const newAgent = async () => joinAsAgent(server.url, await server.createEnrolment())

/** A connected agent, past hello. */
async function greeted(): Promise<RawSocket> {
  const raw = await (await newAgent()).dial()
  raw.call(1, 'mutation', 'agent.hello', helloOf())
  await until(() => raw.frames.length > 0)
  return raw
}

const withSocket = (act: (raw: RawSocket) => unknown) => async () => {
  const raw = await greeted()
  await act(raw)
  // Our own end may be the one that is left to notice.
  await until(() => raw.frames.length > 1 || raw.socket.readyState !== raw.socket.OPEN)
  raw.socket.terminate()
}

/** Bytes on the wire below the framing of our own client. */
const write = (raw: RawSocket, bytes: Buffer) =>
  (raw.socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(bytes)

/** A masked frame of no bytes, or of one: the first of a text, or one that goes on. */
const piece = (isFirst: boolean, byte?: number) =>
  Buffer.from(byte === undefined ? [0, 0x80, 0, 0, 0, 0] : [isFirst ? 1 : 0, 0x81, 0, 0, 0, 0, byte])

const doors: [string, string, () => Promise<unknown>][] = [
  ['an upgrade to nowhere', 'nothing_here', refused('/elsewhere', {})],
  ['an agent without a bearer', 'no_bearer', refused('/agent', {})],
  ['an agent with a made up bearer', 'bearer_refused', refused('/agent', { authorization: 'Bearer x' })],
  [
    'an agent whose host is in quarantine',
    'host_quarantined',
    async () => {
      const agent = await newAgent()
      const authorization = `Bearer ${await agent.bearer()}`
      await server.db.update(hosts).set({ quarantinedAt: new Date() })
      await refused('/agent', { authorization })()
      await server.db.update(hosts).set({ quarantinedAt: null })
    },
  ],
  ['a page without a session', 'not_signed_in', refused('/trpc', { cookie: 'x=y' })],
  ['a made up API key', 'not_signed_in', refused('/trpc', { authorization: 'Bearer rmk_x' })],
  [
    'a sign-in from a foreign page',
    'foreign_origin',
    () => post('/auth/sign-in/email', '{}', { origin: 'https://evil.example' }),
  ],
  [
    'a call with a cookie from a foreign page',
    'foreign_origin',
    () => post('/trpc/settings.update', '{}', { origin: 'https://evil.example', cookie: 'x=y' }),
  ],
  [
    'a wrong password',
    'not_signed_in',
    () => post('/auth/sign-in/email', JSON.stringify({ email: 'a@example.org', password: 'b' })),
  ],
  ['a made up set-up secret', 'setup_done', () => post('/auth/setup', JSON.stringify(newOperator))],
  [
    'a made up token',
    'token_refused',
    () => post('/join/enrolment.redeem', JSON.stringify(redeem(`rmj_${'a'.repeat(43)}`))),
  ],
  ['a token of another shape', 'bad_input', () => post('/join/enrolment.redeem', '{"token":{}}')],
  ['a body that is no JSON', 'unreadable', () => post('/auth/sign-in/email', '{')],
  ['a body of a megabyte', 'body_too_large', () => post('/auth/sign-in/email', `"${'x'.repeat(1e6)}"`)],
  [
    'bytes that are no HTTP',
    'broken_http',
    async () => {
      const socket = connect(server.port, '127.0.0.1', () => socket.write('\0\0\0\r\n\r\n')).resume()
      await once(socket, 'close')
    },
  ],
  ['a frame that is no JSON', 'unreadable', withSocket(raw => raw.send('{'))],
  ['a frame of bytes', 'unreadable', withSocket(raw => raw.socket.send(Buffer.from([1])))],
  [
    '50,000 calls in a frame',
    'too_many_calls',
    withSocket(raw => raw.send(`[${Array(50_000).fill('{"id":1}').join(',')}]`)),
  ],
  ['a frame of 2 MiB', 'frame_too_large', withSocket(raw => raw.send('x'.repeat(2 * 1024 * 1024)))],
  [
    'a text in a million pieces of a byte',
    'frame_too_large',
    withSocket(raw => {
      write(raw, piece(true, 0x20))
      const more = Buffer.concat(Array.from({ length: 10_000 }, () => piece(false, 0x20)))
      for (let round = 0; round < 100; round += 1) write(raw, more)
    }),
  ],
  [
    'a text in endless pieces of nothing',
    'frame_too_large',
    withSocket(raw => {
      write(raw, piece(true, 0x20))
      const more = Buffer.concat(Array.from({ length: 10_000 }, () => piece(false)))
      for (let round = 0; round < 100; round += 1) write(raw, more)
    }),
  ],
  [
    'bytes that are no frame',
    'broken_frame',
    withSocket(raw => write(raw, Buffer.from([0xff, 0xff, 0xff, 0xff, 0x00]))),
  ],
  ['a call that does not exist', 'unreadable', withSocket(raw => raw.call(2, 'query', 'a.b'))],
  [
    'a procedure of a prototype',
    'unreadable',
    withSocket(raw => raw.call(2, 'mutation', '__proto__.constructor')),
  ],
  [
    'an input of the wrong shape',
    'bad_input',
    withSocket(raw => raw.call(2, 'mutation', 'job.finished', { seq: 'x' })),
  ],
  [
    'a call before hello',
    'hello_first',
    async () => {
      const raw = await (await newAgent()).dial()
      raw.call(1, 'mutation', 'agent.heartbeat', {})
      await until(() => raw.frames.length > 0)
      raw.socket.terminate()
    },
  ],
  [
    'too many subscriptions',
    'too_many_subscriptions',
    async () => {
      const raw = await openSocket(`${server.url}/trpc`, { authorization: `Bearer ${server.apiKey}` })
      const input = { json: null, meta: { values: ['undefined'], v: 1 } }
      for (let id = 1; id <= 100; id += 1) raw.call(id, 'subscription', 'live.changes', input)
      await until(() => raw.frames.some(frame => frame.error !== undefined))
      raw.socket.terminate()
    },
  ],
]
const redeem = (token: string) => ({ token, publicKey: 'a'.repeat(43), hostname: 'x' })
const newOperator = { name: 'a', email: 'a@example.org', password: 'long enough 12', secret: newId() }

test.each(doors)('%s is refused and counted as %s', async (_, reason, act) => {
  const counts = await counted(act, reason)
  expect(counts[reason]).toBeGreaterThan(0)
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
})

test('an admin reads what was turned away', async () => {
  const rows = await server.api.settings.turnedAway.query()
  expect(rows).toContainEqual({
    reason: 'foreign_origin',
    count: expect.any(Number),
    lastAt: expect.any(Date),
  })
})

test('what nobody minds is not counted', async () => {
  since()
  const raw = await greeted()
  raw.call(2, 'mutation', 'agent.heartbeat', {
    sentAt: new Date().toISOString(),
    spool: { facts: 0, logBytes: 0 },
  })
  await until(() => raw.frames.length > 1)
  await server.api.hosts.list.query({})
  raw.socket.terminate()
  expect(since()).toEqual({})
})
