// What sign-in and set-up promise: one first admin, sessions that end, keys that are only ever seen once.
import { createHash } from 'node:crypto'
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { settings } from '../db/schema-server.ts'
import { apiKeys, operators, operatorSessions } from '../db/schema-operators.ts'
import { startServer, testDatabase, type TestServer } from '../testing.ts'
import { createApiKey, createApiKeys } from './api-keys.ts'
import { createGetPrincipal } from './principal.ts'
import { completeSetup, mintSetupSecret } from './setup.ts'
import { createSignIn } from './sign-in.ts'

let server: TestServer
beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server[Symbol.asyncDispose]())

const post = (path: string, body: object, cookie?: string) =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(cookie && { cookie }) },
    body: JSON.stringify(body),
  })

async function signIn() {
  const { email, password } = await server.createOperator({ role: 'viewer' })
  const answer = await post('/auth/sign-in/email', { email, password })
  return { email, answer, cookie: answer.headers.getSetCookie()[0]?.split(';')[0] ?? '' }
}

const whoIs = async (cookie: string) => {
  const answer = await fetch(`${server.url}/auth/session`, { headers: { cookie } })
  return ((await answer.json()) as { principal: { email: string } | null }).principal
}

test('signing in gives a cookie that scripts cannot read, and no token in the answer', async () => {
  const { answer, cookie, email } = await signIn()
  expect(answer.headers.getSetCookie()[0]).toMatch(/HttpOnly; SameSite=Strict/)
  expect(await answer.json()).toEqual({ ok: true })
  expect(await whoIs(cookie)).toMatchObject({ email, role: 'viewer' })
  expect((await post('/auth/sign-out', {}, cookie)).status).toBe(200)
  expect(await whoIs(cookie)).toBeNull()
})

test('a changed cookie, and a session twelve hours idle or seven days old, is nobody', async () => {
  const { cookie } = await signIn()
  expect(await whoIs(cookie.slice(0, -4))).toBeNull()
  await server.db.update(operatorSessions).set({ createdAt: sql`now() - interval '7 days 1 minute'` })
  expect(await whoIs(cookie)).toBeNull()
  expect(await server.db.select().from(operatorSessions)).toEqual([])

  const second = await signIn()
  await server.db.update(operatorSessions).set({ expiresAt: sql`now() - interval '1 second'` })
  expect(await whoIs(second.cookie)).toBeNull()
})

test('a session in use lives on under the same cookie, and of its token only a hash is kept', async () => {
  const { cookie, email } = await signIn()
  const [token = ''] = decodeURIComponent(cookie.split('=')[1] ?? '').split('.')
  const rows = await server.db.select().from(operatorSessions)
  expect(JSON.stringify(rows)).not.toContain(token)
  expect(rows.map(row => row.token)).toContain(createHash('sha256').update(token).digest('hex'))

  await server.db.update(operatorSessions).set({ expiresAt: sql`now() + interval '1 hour'` })
  const answer = await fetch(`${server.url}/auth/session`, { headers: { cookie } })
  expect(answer.headers.getSetCookie()[0]?.split(';')[0]).toBe(cookie)
  expect(await whoIs(cookie)).toMatchObject({ email })
  const [kept] = await server.db.select().from(operatorSessions)
  expect(kept?.expiresAt.getTime()).toBeGreaterThan(Date.now() + 11 * 3_600_000)
  // What the database holds opens nothing.
  const signature = cookie.slice(cookie.indexOf('.'))
  expect(await whoIs(`${cookie.split('=')[0]}=${kept?.token}${signature}`)).toBeNull()
})

test('nobody signs up, and an unknown e-mail is answered like a wrong password', async () => {
  const wish = { email: 'new@example.org', password: '0123456789', name: 'New' }
  expect((await post('/auth/sign-up/email', wish)).status).toBe(404)
  const { email } = await server.createOperator()
  const [unknown, wrong] = await Promise.all([
    post('/auth/sign-in/email', wish),
    post('/auth/sign-in/email', { email, password: 'not this one' }),
  ])
  expect(unknown.status).toBe(401)
  expect(await unknown.json()).toEqual(await wrong.json())
})

test('on https the cookie is bound to this host alone', async () => {
  await using database = await testDatabase()
  const signIn = createSignIn({
    ...database,
    secret: 'x'.repeat(43),
    publicUrl: 'https://backup.example.org',
  })
  const { name, attributes } = (await signIn.$context).authCookies.sessionToken
  expect(name).toBe('__Host-restic-manager')
  expect(attributes).toMatchObject({ secure: true, httpOnly: true, path: '/', sameSite: 'strict' })
  expect(attributes.domain).toBeUndefined()
})

test('of two that set up at once one becomes the admin, and set-up is over', async () => {
  await using database = await testDatabase()
  const { db } = database
  const secret = (await mintSetupSecret(db)) ?? ''
  const [kept] = await db.select().from(settings)
  expect(JSON.stringify(kept)).not.toContain(secret)
  const admin = { name: 'Ada', password: '0123456789', secret, address: '127.0.0.1' }
  await expect(completeSetup(db, { ...admin, email: 'x@example.org', secret: 'guess' })).rejects.toThrow(
    'link',
  )
  const tries = await Promise.allSettled(
    [1, 2, 3].map(n => completeSetup(db, { ...admin, email: `a${n}@example.org` })),
  )
  expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect(await db.select({ role: operators.role }).from(operators)).toEqual([{ role: 'admin' }])
  expect(await mintSetupSecret(db)).toBeUndefined()
  await expect(completeSetup(db, { ...admin, email: 'b@example.org' })).rejects.toThrow('exists already')
})

test('a link printed at a later start replaces the earlier one', async () => {
  await using database = await testDatabase()
  const first = (await mintSetupSecret(database.db)) ?? ''
  const second = (await mintSetupSecret(database.db)) ?? ''
  const admin = { name: 'Ada', email: 'a@example.org', password: '0123456789', address: '127.0.0.1' }
  await expect(completeSetup(database.db, { ...admin, secret: first })).rejects.toThrow('printed last')
  await completeSetup(database.db, { ...admin, secret: second })
})

test('the set-up form is told in a sentence what is wrong with it', async () => {
  const answer = await post('/auth/setup', { secret: 'x', email: 'nobody', name: '', password: 'short' })
  expect(answer.status).toBe(400)
  const { message } = (await answer.json()) as { message: string }
  expect(message).toContain('The email is not an e-mail address.')
  expect(message).toContain('The password has fewer than 10 characters.')
})

test('an API key is kept as a hash, ends when it expires or is revoked, and its last use is written down', async () => {
  await using database = await testDatabase()
  const { db } = database
  const keys = createApiKeys(db)
  const getPrincipal = createGetPrincipal({
    db,
    apiKeys: keys,
    signIn: createSignIn({ ...database, secret: 'x'.repeat(43), publicUrl: 'http://localhost' }),
  })
  const ask = async (key: string) =>
    (await getPrincipal(new Headers({ authorization: `Bearer ${key}` }))).principal?.email
  const secret = (await mintSetupSecret(db)) ?? ''
  const email = 'a@example.org'
  await completeSetup(db, { email, name: 'Ada', password: '0123456789', secret, address: '127.0.0.1' })
  const key = await createApiKey(db, { email, name: 'script' })
  const old = await createApiKey(db, { email, name: 'old', expiresAt: new Date(Date.now() - 1) })
  expect(JSON.stringify(await db.select().from(apiKeys))).not.toContain(key)

  expect(await ask(key)).toBe(email)
  expect(await ask(old)).toBeUndefined()
  expect(await ask(`${key}x`)).toBeUndefined()
  await keys.flush()
  const [used] = await db.select().from(apiKeys).where(eq(apiKeys.name, 'script'))
  expect(used?.lastUsedAt).toBeInstanceOf(Date)
  await db.update(apiKeys).set({ revokedAt: new Date() })
  expect(await ask(key)).toBeUndefined()
})
