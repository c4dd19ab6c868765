// What signing in through a provider promises: invited people get in, unknown ones do not, and the subject decides, never the e-mail.
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  auditEvents,
  operatorAccounts,
  operators,
  operatorSessions,
  operatorTwoFactors,
} from '../db/schema-operators.ts'
import { testBrowser } from '../testing-browser.ts'
import { signInHouse, type SignInHouse } from '../testing-sign-in.ts'
import { createInvitation } from './invitations.ts'
import { createOperator } from './operators.ts'
import { listUsers } from './users.ts'

let house: SignInHouse
let open: SignInHouse
beforeAll(async () => {
  house = await signInHouse()
  open = await signInHouse({
    RM_OIDC_DOMAINS: 'home.example',
    RM_OIDC_DOMAIN_ROLE: 'operator',
    RM_OIDC_GROUP_ROLES: 'viewer=staff;admin=cn=admins,dc=home',
  })
})
afterAll(async () => {
  await house[Symbol.asyncDispose]()
  await open[Symbol.asyncDispose]()
})

const person = (name: string, more: object = {}) => {
  const email = `${name}@example.org`
  house.provider.people.set(name, { email, email_verified: true, name: `${name} of Test`, ...more })
  return { as: name, email }
}
const invite = (email: string) =>
  createInvitation(house.server.db, { email, role: 'operator', tags: ['berlin'], createdBy: 'a@example.org' })
const userOf = async ({ server }: SignInHouse, email: string) =>
  (await listUsers(server.db)).find(user => user.email === email)
const makeStale = (operatorId: string) =>
  house.server.db
    .update(operatorSessions)
    .set({ provedAt: sql`now() - interval '1 day'` })
    .where(eq(operatorSessions.userId, operatorId))

test('somebody who was invited gets in with the role that was chosen, and is themselves afterwards, whatever their e-mail becomes', async () => {
  const { as, email } = person('ines')
  expect(await house.enter(as)).toMatchObject({ at: '/sign-in?back=%2F', problem: 'unknown' })
  await invite(email)
  const { browser, at, problem } = await house.enter(as, {
    body: { for: 'sign-in', back: '/jobs?kind=backup' },
  })
  expect({ at, problem }).toEqual({ at: '/jobs?kind=backup', problem: null })
  expect(await house.who(browser)).toMatchObject({ email, role: 'operator', name: 'ines of Test' })
  expect(await userOf(house, email)).toMatchObject({ ways: ['provider'], tags: ['berlin'] })

  person('ines', { email: 'new@example.org', email_verified: false })
  expect(await house.who((await house.enter(as)).browser)).toMatchObject({ email })
})

test('an e-mail that the provider does not confirm opens neither an invitation nor an account', async () => {
  const { as, email } = person('uwe', { email_verified: false })
  await invite(email)
  expect((await house.enter(as)).problem).toBe('unverified')
  expect(await userOf(house, email)).toBeUndefined()
})

test('the link of an invitation lets somebody in whatever their e-mail is, once', async () => {
  const { as } = person('lena', { email: undefined })
  const secret = await invite('lena@work.example')
  const { browser, problem } = await house.enter(as, { body: { for: 'invitation', secret } })
  expect(problem).toBeNull()
  expect(await house.who(browser)).toMatchObject({ email: 'lena@work.example', role: 'operator' })
  const { as: other } = person('otto')
  expect((await house.enter(other, { body: { for: 'invitation', secret } })).problem).toBe('invitation')
})

test('nobody gets into an account that is there by having its e-mail', async () => {
  const account = await house.server.createOperator({ email: 'ada@example.org' })
  const { as } = person('ada')
  expect((await house.enter(as)).problem).toBe('taken')
  expect(await userOf(house, account.email)).toMatchObject({ ways: ['password'], sessions: 0 })
})

test('an account links with somebody after a fresh proof, with one person, and unlinks while it has a password', async () => {
  const { server } = house
  const account = await server.createOperator({ email: 'bea@example.org' })
  const browser = testBrowser()
  await browser.ask('POST', `${server.url}/auth/sign-in/email`, account)
  const { as } = person('bea-at-work')
  const link = { browser, body: { for: 'link', back: '/account' } }
  await makeStale(account.operatorId)
  expect((await house.begin(browser, link.body)).message).toContain('Show again')
  await browser.ask('POST', `${server.url}/auth/prove`, { password: account.password })
  expect(await house.enter(as, link)).toMatchObject({ at: '/account', problem: null })
  expect(await userOf(house, account.email)).toMatchObject({ ways: ['password', 'provider'] })
  expect(await house.who((await house.enter(as)).browser)).toMatchObject({ email: account.email })

  const { as: second } = person('somebody')
  expect((await house.enter(second, link)).problem).toBe('linked already')
  const another = await server.createOperator()
  const theirs = testBrowser()
  await theirs.ask('POST', `${server.url}/auth/sign-in/email`, another)
  expect((await house.enter(as, { browser: theirs, body: link.body })).problem).toBe('linked elsewhere')

  const rows = await server.db.select().from(auditEvents).where(eq(auditEvents.targetId, account.operatorId))
  expect(rows.find(({ action }) => action === 'account.linkProvider')).toMatchObject({
    actorName: account.email,
    before: { ways: ['credential'] },
    after: { ways: ['credential', house.provider.issuer] },
  })
  const unlink = await browser.ask('POST', `${server.url}/trpc/account.unlinkProvider`, {})
  expect(unlink.status).toBe(200)
  expect((await house.enter(as)).problem).toBe('unknown')
})

test('the last way in cannot be taken off', async () => {
  const { as, email } = person('kim')
  await invite(email)
  const { browser } = await house.enter(as)
  expect((await house.enter(as, { browser, body: { for: 'prove' } })).problem).toBeNull()
  const { status, said } = await browser.ask('POST', `${house.server.url}/trpc/account.unlinkProvider`, {})
  expect(status).toBe(409)
  expect(said).toContain('its way in')
  expect(await userOf(house, email)).toMatchObject({ ways: ['provider'] })
})

test('a link comes to nothing when its session ended meanwhile', async () => {
  const { server } = house
  const account = await server.createOperator()
  const browser = testBrowser()
  await browser.ask('POST', `${server.url}/auth/sign-in/email`, account)
  const { url = '' } = await house.begin(browser, { for: 'link' })
  await server.db.delete(operatorSessions).where(eq(operatorSessions.userId, account.operatorId))
  const { as } = person('late')
  const back = await browser.visit(url, { as, back: `${server.url}/auth` })
  expect((await browser.ask('GET', back)).location).toContain('problem=signed+out')
  expect(await userOf(house, account.email)).toMatchObject({ ways: ['password'] })
})

test('a second factor that the account has is asked for after the provider too', async () => {
  const { as, email } = person('tom')
  await invite(email)
  await house.enter(as)
  const user = await userOf(house, email)
  const { db, url } = house.server
  await db
    .insert(operatorTwoFactors)
    .values({ id: user?.id ?? '', userId: user?.id ?? '', secret: 'x', backupCodes: '[]' })
  const { browser, at } = await house.enter(as, { body: { for: 'sign-in', back: '/jobs' } })
  expect(at).toBe('/sign-in?back=%2Fjobs')
  expect(await house.who(browser)).toBeNull()
  const step = await browser.ask('GET', `${url}/auth/step`)
  expect(JSON.parse(step.said)).toEqual({ needs: ['code'] })
})

test('an account that has only the provider proves itself by signing in there again, as the same person', async () => {
  const { server } = house
  const { as, email } = person('pia')
  await invite(email)
  const { browser } = await house.enter(as)
  const { id = '' } = (await userOf(house, email)) ?? {}
  await makeStale(id)
  const provedMsAgo = async () => {
    const [session] = await server.db.select().from(operatorSessions).where(eq(operatorSessions.userId, id))
    return Date.now() - (session?.provedAt.getTime() ?? 0)
  }
  const hour = 3_600_000
  const prove = { browser, body: { for: 'prove', back: '/account' } }
  // Somebody else types their name into the form that it shows although the browser is signed in there.
  const { as: other } = person('quin')
  expect((await house.enter(other, prove)).problem).toBe('another person')
  expect(await provedMsAgo()).toBeGreaterThan(hour)

  house.provider.forge = ({ header, claims }, sign) =>
    sign({ header, claims: { ...claims, auth_time: Math.floor(Date.now() / 1_000) - 120 } })
  expect((await house.enter(as, prove)).problem).toBe('not fresh')
  house.provider.forge = ({ header, claims: { auth_time: _, ...claims } }, sign) => sign({ header, claims })
  expect((await house.enter(as, prove)).problem).toBe('not fresh')
  expect(await provedMsAgo()).toBeGreaterThan(hour)
  house.provider.forge = undefined
  expect(await house.enter(as, prove)).toMatchObject({ at: '/account', problem: null })
  expect(await provedMsAgo()).toBeLessThan(hour)
})

test('whoever has a password does not prove themselves by the provider', async () => {
  const { server } = house
  const account = await server.createOperator()
  const browser = testBrowser()
  await browser.ask('POST', `${server.url}/auth/sign-in/email`, account)
  expect((await house.begin(browser, { for: 'prove' })).message).toContain('something stronger')
})

test('signing in through the provider without typing anything there is no fresh proof', async () => {
  const { as, email } = person('sam')
  await invite(email)
  const { browser } = await house.enter(as)
  const { id = '' } = (await userOf(house, email)) ?? {}
  await house.server.db.delete(operatorSessions).where(eq(operatorSessions.userId, id))
  await house.enter(as, { browser })
  const [session] = await house.server.db
    .select()
    .from(operatorSessions)
    .where(eq(operatorSessions.userId, id))
  expect(session?.provedAt.getTime()).toBe(0)
})

test('domains and groups let people in and decide their role at every sign-in; the last admin stays one', async () => {
  const set = (name: string, groups: unknown, email = `${name}@home.example`) =>
    open.provider.people.set(name, { email, email_verified: true, groups })
  const roleOf = async (name: string) => (await userOf(open, `${name}@home.example`))?.role

  set('max', ['cn=admins,dc=home', 'staff'])
  expect((await open.enter('max')).problem).toBeNull()
  expect(await roleOf('max')).toBe('admin')
  set('max', 'staff')
  await open.enter('max')
  expect(await roleOf('max')).toBe('viewer')
  const rows = await open.server.db
    .select()
    .from(auditEvents)
    .where(eq(auditEvents.targetName, 'max@home.example'))
  expect(rows).toMatchObject([
    { action: 'let in by the identity provider', after: { role: 'admin', ways: [open.provider.issuer] } },
    { action: 'signed in', after: { by: 'provider' } },
    { action: 'role by groups', before: { role: 'admin' }, after: { role: 'viewer' } },
    { action: 'signed in' },
  ])
  set('max', ['others'])
  expect((await open.enter('max')).problem).toBe('groups')

  set('eve', ['staff'], 'eve@evil.example')
  expect((await open.enter('eve')).problem).toBe('unknown')
  set('sub', ['staff'], 'sub@evil.home.example')
  expect((await open.enter('sub')).problem).toBe('unknown')
  set('odd', { staff: true })
  expect((await open.enter('odd')).problem).toBe('groups')

  const { db } = open.server
  set('max', ['cn=admins,dc=home'])
  await open.enter('max')
  await db
    .update(operators)
    .set({ tags: ['berlin'] })
    .where(sql`email <> 'max@home.example'`)
  set('max', ['staff'])
  expect((await open.enter('max')).problem).toBeNull()
  expect(await roleOf('max')).toBe('admin')
})

test('of two browsers in which somebody comes for the first time at once, both find one account', async () => {
  open.provider.people.set('twin', { email: 'twin@home.example', email_verified: true, groups: ['staff'] })
  const both = await Promise.all([open.enter('twin'), open.enter('twin')])
  expect(both.map(({ problem }) => problem)).toEqual([null, null])
  const links = await open.server.db
    .select()
    .from(operatorAccounts)
    .where(eq(operatorAccounts.accountId, 'twin'))
  expect(links).toHaveLength(1)
})

test('an account that was made meanwhile with the same e-mail is not taken over', async () => {
  open.provider.people.set('rival', { email: 'rival@home.example', email_verified: true, groups: ['staff'] })
  const wish = { email: 'rival@home.example', name: 'Rival', role: 'admin' as const, passwordHash: undefined }
  await createOperator(open.server.db, wish)
  expect((await open.enter('rival')).problem).toBe('taken')
})
