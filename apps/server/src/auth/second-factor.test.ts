// What second factors promise: the password alone is no longer enough, no code is good twice, and guessing leads nowhere.
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { operatorSessions, operatorTwoFactors } from '../db/schema-operators.ts'
import { makeSeal, type Seal } from '../db/seal.ts'
import { loadSealingKey } from '../db/sealing-keys.ts'
import { startServer, type TestServer } from '../testing.ts'
import { beginSecondFactor, confirmSecondFactor, takeCode } from './second-factors.ts'
import { codeOf, stepAt } from './totp.ts'

let server: TestServer
let seal: Seal
beforeAll(async () => {
  server = await startServer()
  seal = makeSeal(await loadSealingKey(server.secretKeyFile, { make: false }))
})
afterAll(() => server[Symbol.asyncDispose]())

/** A browser as far as cookies go. */
function newBrowser() {
  const jar = new Map<string, string>()
  const ask = async (method: string, path: string, body?: object) => {
    const cookie = [...jar].map(pair => pair.join('=')).join('; ')
    const answer = await fetch(`${server.url}${path}`, {
      method,
      headers: { cookie, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    })
    for (const line of answer.headers.getSetCookie()) {
      const [name = '', value = ''] = line.split(';')[0]?.split('=') ?? []
      if (value === '') jar.delete(name)
      else jar.set(name, value)
    }
    return { status: answer.status, retryAfter: answer.headers.get('retry-after'), said: await answer.json() }
  }
  return {
    post: (path: string, body: object = {}) => ask('POST', path, body),
    get: (path: string) => ask('GET', path),
    who: async () =>
      ((await ask('GET', '/auth/session')).said as { principal: { email: string } | null }).principal?.email,
  }
}

/** An account with an authenticator app. `code(1)` is the code of the step after this one, so that a test need not wait for it. */
async function withSecondFactor() {
  const account = await server.createOperator()
  const browser = newBrowser()
  await browser.post('/auth/sign-in/email', account)
  const [session] = await server.db
    .select()
    .from(operatorSessions)
    .where(eq(operatorSessions.userId, account.operatorId))
  const { operatorId, email } = account
  const { address } = await beginSecondFactor(server.db, seal, account)
  const secret = secretIn(address)
  const code = (by = 0) => codeOf(secret, stepAt(Date.now()) + by)
  const recovery = await confirmSecondFactor(server.db, seal, {
    operatorId,
    sessionId: session?.id ?? '',
    code: code(-1),
  })
  return { ...account, email, code, recovery, browser }
}

function secretIn(address: string): Buffer {
  const text = new URL(address).searchParams.get('secret') ?? ''
  const bits = [...text].map(char =>
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(char).toString(2).padStart(5, '0'),
  )
  return Buffer.from(
    bits
      .join('')
      .match(/.{8}/g)
      ?.map(byte => Number.parseInt(byte, 2)) ?? [],
  )
}

test('after the password a code is asked for, and each code and each recovery code comes in once', async () => {
  const account = await withSecondFactor()
  const enter = async (code: string) => {
    const browser = newBrowser()
    const first = await browser.post('/auth/sign-in/email', account)
    expect(first.said).toEqual({ ok: true, needs: ['code'] })
    expect(await browser.who()).toBeUndefined()
    expect((await browser.get('/auth/step')).said).toEqual({ needs: ['code'] })
    const second = await browser.post('/auth/sign-in/second', { code })
    return { status: second.status, who: await browser.who() }
  }
  const code = account.code()
  expect(await enter(code)).toEqual({ status: 200, who: account.email })
  expect(await enter(code)).toEqual({ status: 401, who: undefined })
  const [recovery = ''] = account.recovery
  expect(account.recovery).toHaveLength(10)
  expect(await enter(recovery.toUpperCase().replaceAll('-', ' '))).toEqual({
    status: 200,
    who: account.email,
  })
  expect(await enter(recovery)).toEqual({ status: 401, who: undefined })
  const dump = JSON.stringify(await server.db.select().from(operatorTwoFactors))
  for (const kept of account.recovery) expect(dump).not.toContain(kept)
})

test('of two that show the same code or recovery code at once, one gets in', async () => {
  const { operatorId, recovery, code } = await withSecondFactor()
  for (const shown of [code(), recovery[0] ?? '']) {
    const tries = await Promise.all([1, 2, 3, 4].map(() => takeCode(server.db, seal, operatorId, shown)))
    expect(tries.filter(Boolean)).toHaveLength(1)
  }
})

test('ten wrong codes lock the account for a while, however many are sent at once, and also within a session', async () => {
  const { operatorId, code, browser } = await withSecondFactor()
  const guesses = await Promise.allSettled(
    Array.from({ length: 15 }, () => takeCode(server.db, seal, operatorId, '000000')),
  )
  expect(guesses.filter(({ status }) => status === 'rejected')).toHaveLength(5)
  const locked = await browser.post('/auth/prove', { code: code() })
  expect(locked.status).toBe(429)
  expect(Number(locked.retryAfter)).toBeGreaterThan(60)
  await server.db
    .update(operatorTwoFactors)
    .set({ lockedUntil: sql`now() - interval '1 second'` })
    .where(eq(operatorTwoFactors.userId, operatorId))
  expect((await browser.post('/auth/prove', { code: code() })).status).toBe(200)
})

test('what counts as proof is the strongest factor: a password until there is a second one, then no more', async () => {
  const plain = await server.createOperator()
  const browser = newBrowser()
  expect((await browser.post('/auth/prove', { password: plain.password })).status).toBe(401)
  await browser.post('/auth/sign-in/email', plain)
  expect((await browser.get('/auth/prove')).said).toEqual({ ways: ['password'] })
  const old = { provedAt: sql`now() - interval '1 hour'` }
  await server.db.update(operatorSessions).set(old)
  expect((await browser.post('/auth/prove', { password: 'not this one' })).status).toBe(403)
  expect((await browser.post('/auth/prove', { password: plain.password })).status).toBe(200)
  const [fresh] = await server.db
    .select({ isFresh: sql<boolean>`proved_at > now() - interval '1 minute'` })
    .from(operatorSessions)
    .where(eq(operatorSessions.userId, plain.operatorId))
  expect(fresh).toEqual({ isFresh: true })

  const strong = await withSecondFactor()
  expect((await strong.browser.get('/auth/prove')).said).toEqual({ ways: ['code'] })
  expect((await strong.browser.post('/auth/prove', { password: strong.password })).status).toBe(403)
  expect((await strong.browser.post('/auth/prove', { code: strong.code(1) })).status).toBe(200)
})

test('a sign-in that stops between password and code is over, and cannot be finished from another browser', async () => {
  const account = await withSecondFactor()
  await newBrowser().post('/auth/sign-in/email', account)
  const other = await newBrowser().post('/auth/sign-in/second', { code: account.code() })
  expect(other.status).toBe(403)
})
