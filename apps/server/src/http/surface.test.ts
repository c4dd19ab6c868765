// The surface as a stranger, a foreign page and a liar about addresses meet it, on a real server over real HTTP.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signedIn } from '@restic-manager/testkit/signed-in'
import { operatorRouter } from '../operator-api/router.ts'
import { openDatabase, startServer, type TestServer } from '../testing.ts'
import { tableHashes } from '../testing-world.ts'

let server: TestServer
let cookie: string
let direct: ReturnType<typeof openDatabase>
beforeAll(async () => {
  server = await startServer()
  direct = openDatabase(server.databaseUrl, { max: 1 })
  ;({ cookie } = await signedIn(server.url, await server.createOperator())())
})
afterAll(async () => {
  await direct.close()
  await server[Symbol.asyncDispose]()
})

const procedures = Object.entries(
  operatorRouter._def.procedures as unknown as Record<string, { _def: { type: string } }>,
)
const calls = procedures.filter(([, { _def }]) => _def.type !== 'subscription')
const json = { 'content-type': 'application/json' }
const get = (path: string, init: RequestInit = {}) =>
  fetch(server.url + path, { ...init, redirect: 'manual' })
const call = ([path, { _def }]: (typeof calls)[number], headers: Record<string, string>) =>
  _def.type === 'query'
    ? get(`/trpc/${path}?input=${encodeURIComponent('{"json":{}}')}`, { headers })
    : get(`/trpc/${path}`, { method: 'POST', headers: { ...json, ...headers }, body: '{"json":{}}' })

/** Every table but the one that says when the server does by itself what it does by the clock. */
async function whatIsKept() {
  const { chore_turns: _, ...kept } = await tableHashes(direct.sql)
  return kept
}

describe('headers', () => {
  const places: [string, RequestInit][] = [
    ['/', {}],
    ['/hosts/any', {}],
    ['/no-such-file.js', {}],
    ['/healthz', {}],
    ['/readyz', {}],
    ['/metrics', {}],
    ['/agent', {}],
    ['/auth/session', {}],
    ['/auth/sign-in/email', { method: 'POST', headers: json, body: '{' }],
    ['/trpc/me.get', {}],
    ['/trpc/no.such', {}],
    ['/join/session.challenge', { method: 'POST', headers: json, body: '{}' }],
  ]
  test.each(places)(
    '%s answers with a policy, a type that is not guessed, and no frame',
    async (path, init) => {
      const { headers } = await get(path, init)
      const policy = headers.get('content-security-policy') ?? ''
      expect(policy).toContain("default-src 'self'")
      expect(policy).toMatch(/script-src 'self'(;|$)/)
      expect(policy).toContain("frame-ancestors 'none'")
      expect(policy).toContain("object-src 'none'")
      expect(policy).toContain("base-uri 'none'")
      expect(policy).not.toMatch(/script-src[^;]*unsafe|\*|https?:/)
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('x-frame-options')).toBe('DENY')
      expect(headers.get('referrer-policy')).toBe('no-referrer')
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
      expect(headers.get('access-control-allow-origin')).toBeNull()
      expect(headers.get('x-powered-by')).toBeNull()
      expect(headers.get('server')).toBeNull()
    },
  )

  test('nothing of an API is kept in a cache', async () => {
    for (const path of ['/trpc/me.get', '/auth/session', '/join/session.challenge'])
      expect((await get(path)).headers.get('cache-control'), path).toBe('no-store')
  })
})

describe('a page of another site, with the cookie of an admin', () => {
  const asForeign: Record<string, string>[] = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ]
  test('calls no procedure, by whatever sign of where it comes from', async () => {
    const before = await whatIsKept()
    for (const each of calls)
      for (const sign of asForeign)
        expect([each[0], sign, (await call(each, { cookie, ...sign })).status]).toEqual([each[0], sign, 403])
    expect(await whatIsKept()).toEqual(before)
    expect(server.turnedAway()['foreign_origin']).toBe(calls.length * asForeign.length)
    // The control: the same cookie from our own page is somebody.
    expect((await get('/trpc/me.get', { headers: { cookie, origin: server.url } })).status).toBe(200)
  })

  test('a request to a forged host name is foreign too', async () => {
    // Whoever makes a name of their own lead here is that name to the browser, and has no cookie of ours; this asks with one.
    const answer = await get('/trpc/me.get', { headers: { cookie, origin: 'http://rebound.example:1' } })
    expect(answer.status).toBe(403)
  })
})

describe('a stranger', () => {
  test('gets nothing from any procedure but the sentence to sign in, whatever ids it knows', async () => {
    for (const each of calls) {
      for (const headers of [
        {},
        { authorization: 'Bearer rmk_made-up' },
        { cookie: 'restic-manager=made-up' },
      ]) {
        const answer = await call(each, headers as Record<string, string>)
        expect([each[0], answer.status]).toEqual([each[0], 401])
      }
    }
  })

  test('finds no file to download by an id, and no address that lists anything', async () => {
    const id = '01a2094c-57f3-7ecc-933e-9558bfa03a02'
    const guesses = [
      'download',
      'api',
      'files',
      'snapshots',
      'export',
      'backup',
      'restore',
      'trpc-panel',
      '.env',
      '.git/config',
    ]
    for (const guess of guesses)
      for (const path of [`/${guess}`, `/${guess}/${id}`, `/${guess}/${id}/data.json`]) {
        const answer = await get(path)
        // The page, which then asks to sign in, or nothing.
        const isPage = answer.headers.get('content-type')?.startsWith('text/html') === true
        expect([path, isPage || answer.status === 404]).toEqual([path, true])
      }
  })

  test.each([
    '/../../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/..%2f..%2fetc%2fpasswd',
    '/assets/%00',
    '/-rf',
  ])('gets no file of the machine by %s', async path => {
    const answer = await get(path)
    expect(answer.status).not.toBe(500)
    expect(await answer.text()).not.toContain('root:')
  })
})

describe('who lies about an address', () => {
  test('gets no more tries by naming another one each time, where no proxy is trusted', async () => {
    await using fresh = await startServer()
    const statuses: number[] = []
    for (let at = 0; at < 14; at += 1) {
      const headers = {
        ...json,
        ...{
          'x-forwarded-for': `203.0.113.${at}`,
          forwarded: `for=203.0.113.${at}`,
          'x-real-ip': `203.0.113.${at}`,
        },
      }
      const body = JSON.stringify({ email: `a${at}@example.org`, password: 'wrong-password' })
      const answer = await fetch(`${fresh.url}/auth/sign-in/email`, { method: 'POST', headers, body })
      statuses.push(answer.status)
    }
    expect(statuses.filter(status => status === 429).length).toBeGreaterThan(0)
    expect(fresh.turnedAway()['too_many']).toBeGreaterThan(0)
  })

  test('is heard where it comes through a proxy that is trusted, each address by itself', async () => {
    await using fresh = await startServer({ env: { RM_TRUSTED_PROXIES: '127.0.0.1' } })
    for (let at = 0; at < 14; at += 1) {
      const headers = { ...json, 'x-forwarded-for': `203.0.113.${at}` }
      const body = JSON.stringify({ email: `a${at}@example.org`, password: 'wrong-password' })
      const answer = await fetch(`${fresh.url}/auth/sign-in/email`, { method: 'POST', headers, body })
      expect(answer.status).toBe(401)
    }
  })
})
