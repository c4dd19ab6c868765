// What a sign-in through a provider does not let itself be talked into: answers of others, forged tokens, and a provider that is ill.
import { generateKeyPairSync } from 'node:crypto'
import type { RequestListener } from 'node:http'
import { eq } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { operatorAccounts, operatorVerifications } from '../db/schema-operators.ts'
import { testBrowser } from '../testing-browser.ts'
import type { TestOperator } from '../testing.ts'
import type { OpenidProvider } from '../testing-openid.ts'
import { endOf, signInHouse, type SignInHouse } from '../testing-sign-in.ts'
import { createInvitation } from './invitations.ts'

let house: SignInHouse
/** Whose provider never was well. */
let ill: SignInHouse
let account: TestOperator
const email = 'ines@example.org'
beforeAll(async () => {
  ill = await signInHouse()
  account = await ill.server.createOperator()
  house = await signInHouse()
  house.provider.people.set('ines', { email, email_verified: true })
  await createInvitation(house.server.db, { email, role: 'admin', tags: null, createdBy: 'test' })
  await house.enter('ines')
})
afterEach(() => {
  house.provider.forge = undefined
  house.provider.instead = undefined
})
afterAll(async () => {
  await house[Symbol.asyncDispose]()
  await ill[Symbol.asyncDispose]()
})

/** A browser that was sent back with a good answer and has not handed it in yet. */
async function sentBack() {
  const browser = testBrowser()
  const { url = '' } = await house.begin(browser)
  const back = await browser.visit(url, { as: 'ines', back: `${house.server.url}/auth` })
  return { browser, back: new URL(back) }
}

/** What comes of an answer, and that nobody is signed in by one that is refused. */
async function handIn(browser: ReturnType<typeof testBrowser>, back: URL) {
  const { problem } = endOf(browser, await browser.ask('GET', back.href))
  if (problem !== null) expect(await house.who(browser)).toBeNull()
  return problem
}

test('a browser is sent with state, nonce and a challenge, to come back to one address alone, and knows no secret', async () => {
  const browser = testBrowser()
  const { url = '' } = await house.begin(browser, { for: 'sign-in', redirect_uri: 'https://evil.example/' })
  const asked = new URL(url).searchParams
  expect(asked.get('redirect_uri')).toBe(`${house.server.url}/auth/provider/callback`)
  expect(asked.get('response_type')).toBe('code')
  expect(asked.get('code_challenge_method')).toBe('S256')
  for (const name of ['state', 'nonce', 'code_challenge']) expect(asked.get(name)).toMatch(/^[\w-]{43}$/)
  expect(url).not.toContain(house.provider.env['RM_OIDC_CLIENT_SECRET'])
  const { said } = await browser.ask('GET', `${house.server.url}/auth/provider`)
  expect(JSON.parse(said)).toEqual({ name: 'Test ID' })
})

test('a good answer lets in, so that what follows is refused for its own sake', async () => {
  const { browser, back } = await sentBack()
  expect(await handIn(browser, back)).toBeNull()
  expect(await house.who(browser)).toMatchObject({ email, role: 'admin' })
})

test('an answer counts once, in the browser that asked for it, and with its own state', async () => {
  const { browser, back } = await sentBack()
  const other = testBrowser()
  expect(await handIn(other, back)).toBe('over')
  await house.begin(other)
  expect(await handIn(other, back)).toBe('over')

  const wrong = new URL(back)
  wrong.searchParams.set('state', 'x'.repeat(43))
  expect(await handIn(browser, wrong)).toBe('over')
  // A stranger who sent the browser there has not used up what it waits for.
  expect(await handIn(browser, back)).toBeNull()
  expect(await handIn(testBrowser(), back)).toBe('over')
})

test('an answer that is handed in twice, or with the ticket of an earlier one, is refused', async () => {
  const { browser, back } = await sentBack()
  const cookies = new Map(browser.jar(house.server.url))
  expect(await handIn(browser, back)).toBeNull()
  const thief = testBrowser()
  await thief.ask('GET', `${house.server.url}/auth/provider`)
  for (const [name, value] of cookies) thief.jar(house.server.url).set(name, value)
  expect(await handIn(thief, back)).toBe('over')
})

test('a code with another state than its own, and the answer of another issuer, are refused', async () => {
  const first = await sentBack()
  const second = await sentBack()
  const mixed = new URL(second.back)
  mixed.searchParams.set('code', first.back.searchParams.get('code') ?? '')
  expect(await handIn(second.browser, mixed)).toBe('refused')

  for (const change of ['https://evil.example', undefined]) {
    const { browser, back } = await sentBack()
    if (change === undefined) back.searchParams.delete('iss')
    else back.searchParams.set('iss', change)
    expect(await handIn(browser, back)).toBe('refused')
  }
  const twice = await sentBack()
  twice.back.searchParams.append('code', 'x')
  expect(await handIn(twice.browser, twice.back)).toBe('refused')
})

test('somebody who says no at the provider is told so, and nothing that the provider says is shown', async () => {
  const { browser, back } = await sentBack()
  back.searchParams.delete('code')
  back.searchParams.set('error', 'access_denied')
  back.searchParams.set('error_description', '<script>alert(1)</script>')
  const { location = '' } = await browser.ask('GET', back.href)
  expect(new URL(location).search).toBe('?back=%2F&problem=declined')
})

const { privateKey: anotherKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const now = () => Math.floor(Date.now() / 1_000)
type Forge = NonNullable<OpenidProvider['forge']>
const withClaims =
  (change: object): Forge =>
  ({ header, claims }, sign) =>
    sign({ header, claims: { ...claims, ...change } })
const unsigned = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')

test.each<[string, Forge]>([
  ['another nonce', withClaims({ nonce: 'x'.repeat(43) })],
  ['no nonce', withClaims({ nonce: undefined })],
  ['another issuer', withClaims({ iss: 'https://evil.example' })],
  ['another client', withClaims({ aud: 'somebody-else' })],
  ['more clients, and handed to another', withClaims({ aud: ['restic-manager', 'x'], azp: 'x' })],
  ['an end that is over', withClaims({ exp: now() - 60 })],
  ['a beginning that is to come', withClaims({ nbf: now() + 600 })],
  ['no subject', withClaims({ sub: undefined })],
  ['the signature of another key', (token, sign) => sign(token, anotherKey)],
  [
    'the signature of another token',
    (token, sign) => {
      const [, , signature] = sign(token).split('.')
      return `${unsigned(token.header)}.${unsigned({ ...token.claims, sub: 'admin' })}.${signature}`
    },
  ],
  ['no signature', ({ header, claims }) => `${unsigned({ ...header, alg: 'none' })}.${unsigned(claims)}.`],
  [
    'a signature with the public key as a secret',
    (token, sign) => sign({ ...token, header: { alg: 'HS256', kid: 'k1' } }),
  ],
  [
    'a key that it brings along',
    ({ claims }, sign) =>
      sign({ header: { alg: 'RS256', jwk: anotherKey.export({ format: 'jwk' }) }, claims }, anotherKey),
  ],
  ['a key of another name', ({ claims }, sign) => sign({ header: { alg: 'RS256', kid: 'k2' }, claims })],
  [
    'claims without end',
    ({ header }) => `${unsigned(header)}.${Buffer.from('['.repeat(90_000)).toString('base64url')}.x`,
  ],
  ['nothing that is a token', () => 'x'],
])('an ID token with %s lets nobody in', async (_name, forge) => {
  const { browser, back } = await sentBack()
  house.provider.forge = forge
  expect(await handIn(browser, back)).toBe('refused')
})

test('where somebody is led after signing in is always a page of this server', async () => {
  const places = [
    ...['https://evil.example/', '//evil.example', '/\\evil.example', '/\t/evil.example', '/.//evil.example'],
    ...['\\\\evil.example', 'javascript:alert(1)', '/@evil.example:x/..//evil.example', '', 7, null],
  ]
  for (const back of places) {
    const { at, problem } = await house.enter('ines', { body: { for: 'sign-in', back } })
    expect(problem).toBeNull()
    expect(at).toMatch(/^\/(?![/\\])/)
  }
})

test('a page of another site cannot begin it, and a page under another name of this server is told where it works', async () => {
  const begin = (headers: Record<string, string>) =>
    fetch(`${house.server.url}/auth/provider/begin`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: '{"for":"sign-in"}',
    })
  expect((await begin({ origin: 'https://evil.example' })).status).toBe(403)
  expect((await begin({ 'sec-fetch-site': 'cross-site' })).status).toBe(403)
  const elsewhere = house.server.url.replace('127.0.0.1', 'localhost')
  const asked = await fetch(`${elsewhere}/auth/provider/begin`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: elsewhere },
    body: '{"for":"sign-in"}',
  })
  expect(asked.status).toBe(403)
  expect(await asked.text()).toContain(`Open ${house.server.url}`)
})

const slow: RequestListener = () => {}
const endless: RequestListener = (_request, response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  const write = (): void =>
    void (response.write('"x",'.repeat(4_096)) ? setImmediate(write) : response.once('drain', write))
  response.write('{"issuer":[')
  write()
}
const answer =
  (status: number, body: string, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)

test.each<[string, RequestListener]>([
  ['that says nothing', slow],
  ['that never stops', endless],
  ['that is broken', answer(500, 'oops')],
  ['that says nonsense', answer(200, '<html>')],
  ['that nests without end', answer(200, `{"issuer":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)],
  ['that leads elsewhere', answer(302, '', { location: 'http://127.0.0.1:1/' })],
  ['that calls itself another', answer(200, '{"issuer":"https://evil.example"}')],
])(
  'a provider %s is waited for so long and no longer, and the password lets in meanwhile',
  async (_name, instead) => {
    ill.provider.instead = instead
    const browser = testBrowser()
    expect((await ill.begin(browser)).message).toContain('does not answer')
    const { status } = await browser.ask('POST', `${ill.server.url}/auth/sign-in/email`, account)
    expect(status).toBe(200)
  },
)

test('once the provider answers it is used, without a restart of the server', async () => {
  ill.provider.instead = undefined
  expect((await ill.begin(testBrowser())).url).toContain(ill.provider.issuer)
})

test('a provider that falls ill while somebody is there sends them back with a sentence', async () => {
  for (const [instead, problem] of [
    [endless, 'refused'],
    [answer(503, ''), 'away'],
    [answer(200, '{"access_token":7}'), 'refused'],
  ] as const) {
    const { browser, back } = await sentBack()
    house.provider.instead = instead
    expect(await handIn(browser, back)).toBe(problem)
    house.provider.instead = undefined
  }
})

test('nothing of a sign-in stays behind in the browser or in the database', async () => {
  const { db, url } = house.server
  await db.delete(operatorVerifications)
  const { browser } = await house.enter('ines')
  expect([...browser.jar(url).keys()]).toEqual(['restic-manager'])
  expect(await db.select().from(operatorVerifications)).toEqual([])
  const [link] = await db.select().from(operatorAccounts).where(eq(operatorAccounts.accountId, 'ines'))
  expect(link).toMatchObject({ accessToken: null, refreshToken: null, idToken: null })
})
