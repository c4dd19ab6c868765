// What holds for operators among each other: an admin is always left, an invitation is good once, and whoever is put out is out.
import { createWSClient } from '@trpc/client'
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '@restic-manager/testkit/until'
import { WebSocket } from 'ws'
import { operatorInvitations, operators, operatorSessions } from '../db/schema-operators.ts'
import { startServer, testDatabase, type TestServer } from '../testing.ts'
import { openSocket } from '../testing-agent.ts'
import { createInvitation, listInvitations, revokeInvitation } from './invitations.ts'
import { createKeyLimits } from './key-limits.ts'
import { createOperator } from './operators.ts'
import { listSessions, revokeSession } from './sessions.ts'
import { listUsers, removeUser, updateUser } from './users.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer({ env: { RM_API_CALLS_PER_MINUTE: '50' } })
})
afterAll(() => server[Symbol.asyncDispose]())

const post = (path: string, body: object) =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

const cookieOf = (answer: Response) => answer.headers.getSetCookie()[0]?.split(';')[0] ?? ''

test('of two last admins who lower or remove each other at once, one stays', async () => {
  await using database = await testDatabase()
  const { db } = database
  const make = (n: number, tags: string[] | null = null) =>
    createOperator(db, {
      email: `a${n}@example.org`,
      name: 'A',
      role: 'admin',
      tags,
      passwordHash: undefined,
    })
  for (const lower of [
    (operatorId: string) => updateUser(db, { operatorId, role: 'operator', tags: null }),
    (operatorId: string) => updateUser(db, { operatorId, role: 'admin', tags: ['berlin'] }),
    (operatorId: string) => removeUser(db, operatorId),
  ]) {
    await db.delete(operators)
    const [first, second] = [await make(1), await make(2)]
    await make(3, ['berlin'])
    const tries = await Promise.allSettled([lower(first), lower(second)])
    expect(tries.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    const left = (await listUsers(db)).filter(({ role, tags }) => role === 'admin' && tags === null)
    expect(left).toHaveLength(1)
  }
})

test('an invitation makes one account of the role that was chosen, and then no other', async () => {
  const { db } = server
  const wish = { role: 'operator' as const, tags: ['berlin'], createdBy: 'a@example.org' }
  const secret = await createInvitation(db, { ...wish, email: 'new@example.org' })
  expect(JSON.stringify(await db.select().from(operatorInvitations))).not.toContain(secret)
  expect(await (await post('/auth/invitation', { secret })).json()).toEqual({
    email: 'new@example.org',
    role: 'operator',
  })
  const account = { secret, name: 'New', password: '0123456789', role: 'admin', email: 'other@example.org' }
  const tries = await Promise.all([1, 2].map(() => post('/auth/invitation/accept', account)))
  expect(tries.map(({ status }) => status).toSorted()).toEqual([200, 403])
  const made = (await listUsers(db)).find(({ email }) => email === 'new@example.org')
  expect(made).toMatchObject({ role: 'operator', tags: ['berlin'], ways: ['password'], sessions: 1 })

  const late = await createInvitation(db, { ...wish, email: 'late@example.org' })
  await db.update(operatorInvitations).set({ expiresAt: sql`now()` })
  expect((await post('/auth/invitation', { secret: late })).status).toBe(403)
  const next = await createInvitation(db, { ...wish, email: 'late@example.org' })
  const [open] = await listInvitations(db)
  await revokeInvitation(db, open?.id ?? '')
  expect((await post('/auth/invitation/accept', { ...account, secret: next })).status).toBe(403)
})

test('a session that is revoked, and an operator who is removed, lose their sockets at once', async () => {
  const { db } = server
  const account = await server.createOperator({ role: 'viewer' })
  const connect = async () => {
    const headers = { cookie: cookieOf(await post('/auth/sign-in/email', account)), origin: server.url }
    class Cookied extends WebSocket {
      constructor(address: string | URL) {
        super(address, { headers })
        this.on('error', () => {})
        this.on('close', code => codes.push(code))
      }
    }
    const codes: number[] = []
    let opened = false
    const client = createWSClient({
      url: `${server.url.replace('http', 'ws')}/trpc`,
      WebSocket: Cookied as unknown as typeof globalThis.WebSocket,
      retryDelayMs: () => 60_000,
      onOpen: () => void (opened = true),
    })
    await until(() => opened)
    return { codes, close: () => client.close() }
  }
  const [laptop, phone] = [await connect(), await connect()]
  const [newest, ...others] = await listSessions(db, { ...account, sessionId: undefined })
  expect(others).toHaveLength(1)
  expect(newest).toMatchObject({ address: '127.0.0.1', isThis: false })
  await revokeSession(db, { operatorId: account.operatorId, sessionId: newest?.id ?? '' })
  await until(() => laptop.codes.length + phone.codes.length === 1, undefined, { timeoutMs: 1_000 })
  await removeUser(db, account.operatorId)
  await until(() => laptop.codes.length + phone.codes.length === 2, undefined, { timeoutMs: 1_000 })
  expect([...laptop.codes, ...phone.codes]).toEqual([4401, 4401])
  expect(
    await db.select().from(operatorSessions).where(eq(operatorSessions.userId, account.operatorId)),
  ).toEqual([])
  await Promise.all([laptop.close(), phone.close()])
})

test('an API key that calls too often is told when to come back', async () => {
  const { apiKey } = await server.createOperator()
  const ask = () => fetch(`${server.url}/trpc/me.get`, { headers: { authorization: `Bearer ${apiKey}` } })
  for (let call = 0; call < 50; call++) expect((await ask()).status).toBe(200)
  const refused = await ask()
  expect(refused.status).toBe(429)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)

  const limits = createKeyLimits(10)
  limits.take('key', 10, 0)
  expect(() => limits.take('key', 1, 59_999)).toThrow('10 calls')
  limits.take('other', 10, 59_999)
  limits.take('key', 10, 60_000)
})

test('an API key calls no more often over a WebSocket', async () => {
  const { apiKey } = await server.createOperator()
  const authorization = `Bearer ${apiKey}`
  const { socket, call, frames } = await openSocket(`${server.url}/trpc`, { authorization })
  const nothing = { json: null, meta: { values: ['undefined'], v: 1 } }
  for (let id = 1; id <= 51; id++) {
    call(id, 'query', 'me.get', nothing)
    await until(() => frames.length === id)
  }
  expect(frames.slice(0, 50).every(frame => Object.hasOwn(frame as object, 'result'))).toBe(true)
  expect(frames[50]).toMatchObject({ error: { json: { data: { refusal: 'too_many' } } } })
  const asked = await fetch(`${server.url}/trpc/me.get`, { headers: { authorization } })
  expect(asked.status).toBe(429)
  socket.terminate()
})
