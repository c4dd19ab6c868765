// Operators' accounts in a real browser: invited, with a second step, asked again for what reaches far, and shut out.
import path from 'node:path'
import { startServer, type TestServer } from '@restic-manager/server/testing'
import { launchChromium, newPage, probeChromium } from '@restic-manager/testkit/chromium'
import { is, until } from '@restic-manager/testkit/until'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { build, root } from '../../../../scripts/processes.ts'
import { codeNow } from './authenticator.ts'

const chromium = await probeChromium()
let server: TestServer
let browser: Browser
/** Browsers tie passkeys to names, not to addresses. */
let url: string

beforeAll(async () => {
  await build()
  server = await startServer({ pageDir: path.join(root, 'apps/web/dist') })
  url = server.url.replace('127.0.0.1', 'localhost')
  if ('path' in chromium) browser = await launchChromium()
})
afterAll(async () => {
  await browser?.close()
  await server[Symbol.asyncDispose]()
})
// All of these come from one address.
beforeEach(() => server.db.execute('delete from sign_in_limits'))

type Person = { email: string; password: string }

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click()

async function typePassword(page: Page, { email, password }: Person) {
  await page.getByLabel('E-mail').fill(email)
  await page.getByRole('textbox', { name: 'Password' }).fill(password)
  await press(page, 'Sign in')
}

async function signIn(person: Person, at = '/account') {
  const page = await newPage(browser)
  await page.goto(`${url}/sign-in?back=${encodeURIComponent(at)}`)
  await typePassword(page, person)
  await page.waitForURL(`${url}${at}`)
  return page
}

async function signOut(page: Page) {
  await page.getByRole('button', { name: /menu$/ }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.waitForURL(`${url}/sign-in`)
}

/** As if ten minutes had passed since anybody showed anything, and codes of now had not been seen. */
async function letTimePass() {
  await server.db.execute("update operator_sessions set proved_at = now() - interval '11 minutes'")
  await server.db.execute('update operator_two_factors set last_step = 0')
}

async function addAuthenticator(page: Page): Promise<() => Promise<void>> {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('WebAuthn.enable')
  const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
    },
  })
  return async () => void (await cdp.send('WebAuthn.removeVirtualAuthenticator', { authenticatorId }))
}

async function makeKey(page: Page, name: string) {
  await press(page, 'New key')
  const dialog = page.getByRole('dialog', { name: 'New API key' })
  await dialog.getByLabel('Name').fill(name)
  await dialog.getByRole('button', { name: 'Make the key' }).click()
}

const proof = (page: Page) => page.getByRole('dialog', { name: 'Show that it is you' })

test.skipIf('missing' in chromium)(
  'an admin invites somebody, who makes an account by the link and sees what a viewer may',
  async () => {
    const admin = await signIn(await server.createOperator({ email: 'ada@example.org' }), '/settings/users')
    await press(admin, 'Invite')
    const dialog = admin.getByRole('dialog')
    await dialog.getByLabel('E-mail').fill('Vera@Example.org')
    await dialog.getByRole('radio', { name: 'viewer' }).check()
    await dialog.getByRole('button', { name: 'Make the link' }).click()
    const link = (await dialog.getByLabel('Shown once').innerText()).trim()
    await dialog.getByRole('button', { name: 'I have kept it' }).click()
    await admin.getByRole('list', { name: 'Invitations' }).getByText('vera@example.org').waitFor()

    const vera = await newPage(browser)
    await vera.goto(link.replace('127.0.0.1', 'localhost'))
    expect(await vera.getByLabel('E-mail').inputValue()).toBe('vera@example.org')
    expect(vera.url()).toBe(`${url}/invitation`)
    await vera.getByLabel('Name').fill('Vera Lind')
    await vera.getByRole('textbox', { name: 'Password' }).fill('short')
    await press(vera, 'Make my account')
    await vera.getByText('Use at least 10 characters.').waitFor()
    await vera.getByRole('textbox', { name: 'Password' }).fill('long enough for her')
    await press(vera, 'Make my account')
    await vera.waitForURL(`${url}/`)
    await vera.getByRole('button', { name: /^Vera Lind .*menu$/ }).waitFor()
    await vera.getByRole('link', { name: 'Hosts' }).click()
    await vera.getByRole('heading', { name: 'Hosts' }).waitFor()
    expect(await vera.getByRole('button', { name: 'Add host' }).count()).toBe(0)
    await vera.goto(`${url}/settings/users`)
    await vera.getByText('Users are looked after by admins of all hosts.').waitFor()
    expect(await vera.getByRole('button', { name: 'Invite' }).count()).toBe(0)

    const late = await newPage(browser)
    await late.goto(link.replace('127.0.0.1', 'localhost'))
    await late.getByText('This invitation was used, revoked or is over.').waitFor()

    await admin.reload()
    await press(admin, 'What to do with Vera Lind')
    await admin.getByRole('menuitem', { name: 'Remove' }).click()
    const asked = admin.getByRole('dialog', { name: 'Remove Vera Lind?' })
    await asked.getByLabel(/^Type/).fill('vera@example.org')
    await asked.getByRole('button', { name: 'Remove' }).click()
    await vera.waitForURL(/\/sign-in/)
    await until(() => admin.getByText('vera@example.org').count(), is(0))
  },
)

test.skipIf('missing' in chromium)('the last admin of all hosts stays one, and is told why', async () => {
  await using alone = await startServer({ pageDir: path.join(root, 'apps/web/dist') })
  const person = await alone.createOperator({ email: 'last@example.org' })
  await alone.db.execute("delete from operators where email <> 'last@example.org'")
  const page = await newPage(browser)
  await page.goto(`${alone.url}/sign-in?back=/settings/users`)
  await typePassword(page, person)
  await press(page, 'What to do with last@example.org')
  await page.getByRole('menuitem', { name: 'Change role and hosts' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByRole('radio', { name: 'operator' }).check()
  await dialog.getByRole('button', { name: 'Save' }).click()
  await dialog.getByText('This is the last admin for all hosts. Make another one first.').waitFor()
})

test.skipIf('missing' in chromium)(
  'with an authenticator app the password alone is not enough, and no code is good twice',
  async () => {
    const person = await server.createOperator({ email: 'tom@example.org', role: 'operator' })
    const page = await signIn(person)
    await press(page, 'Set up')
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('img', { name: 'QR code for the authenticator app' }).waitFor()
    const secret = await dialog.getByLabel('Secret for the app').innerText()
    await dialog.getByLabel('Code that the app shows').fill(codeNow(secret))
    await press(page, 'Turn on')
    const codes = (await page.getByLabel('Shown once').innerText()).split('\n')
    expect(codes).toHaveLength(10)
    await press(page, 'I have kept it')
    await page.getByText('10 recovery codes left').waitFor()
    await signOut(page)

    await letTimePass()
    const code = codeNow(secret)
    await typePassword(page, person)
    const typed = page.getByLabel('Code of your authenticator app')
    await typed.fill(code === '000000' ? '000001' : '000000')
    await press(page, 'Continue')
    await page.getByText('This code is not right, or was used before.').waitFor()
    await typed.fill(code)
    await press(page, 'Continue')
    await page.waitForURL(`${url}/`)
    await signOut(page)

    await typePassword(page, person)
    await typed.fill(code)
    await press(page, 'Continue')
    await page.getByText('This code is not right, or was used before.').waitFor()
    await press(page, 'Use a recovery code instead')
    await page.getByLabel('Recovery code').fill(codes[3] ?? '')
    await press(page, 'Continue')
    await page.waitForURL(`${url}/`)
    await signOut(page)

    await typePassword(page, person)
    await press(page, 'Use a recovery code instead')
    await page.getByLabel('Recovery code').fill(codes[3] ?? '')
    await press(page, 'Continue')
    await page.getByText('This code is not right, or was used before.').waitFor()
  },
)

test.skipIf('missing' in chromium)(
  'a passkey signs in alone and proves again who is there; without it nothing is made',
  async () => {
    const person = await server.createOperator({ email: 'pia@example.org' })
    const page = await signIn(person)
    const loseIt = await addAuthenticator(page)
    await press(page, 'Add a passkey')
    const dialog = page.getByRole('dialog', { name: 'Add a passkey' })
    await dialog.getByLabel('Name').fill('blue key')
    await press(page, 'Continue')
    await page.getByText('blue key').waitFor()
    await signOut(page)
    await press(page, 'Use a passkey')
    await page.waitForURL(`${url}/`)

    await letTimePass()
    await page.goto(`${url}/account`)
    await makeKey(page, 'for scripts')
    await proof(page).getByRole('button', { name: 'Use a passkey' }).click()
    expect((await page.getByLabel('Shown once').innerText()).trim()).not.toBe('')
    await press(page, 'I have kept it')
    expect(await page.getByRole('list', { name: 'API keys' }).getByText('for scripts').count()).toBe(1)

    await letTimePass()
    await loseIt()
    await addAuthenticator(page)
    await makeKey(page, 'in vain')
    await proof(page).getByRole('button', { name: 'Use a passkey' }).click()
    await proof(page).getByText('The browser gave no passkey').waitFor()
    await proof(page).getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('The key was not made.').waitFor()
  },
)

test.skipIf('missing' in chromium)(
  'what reaches far asks again for the password, and is then done once by itself',
  async () => {
    const person = await server.createOperator({ email: 'max@example.org' })
    const page = await signIn(person)
    await letTimePass()
    await makeKey(page, 'nightly report')
    await proof(page).getByRole('textbox', { name: 'Password' }).fill('not it at all')
    await proof(page).getByRole('button', { name: 'Continue' }).click()
    await proof(page).getByText('The password is wrong').waitFor()
    await proof(page).getByRole('textbox', { name: 'Password' }).fill(person.password)
    await proof(page).getByRole('button', { name: 'Continue' }).click()
    const key = (await page.getByLabel('Shown once').innerText()).trim()
    await press(page, 'I have kept it')
    await page.getByText('Hosts (read), Jobs (read)').waitFor()
    const answer = (path: string) =>
      fetch(`${server.url}/trpc/${path}`, { headers: { authorization: `Bearer ${key}` } })
    expect((await answer('jobs.list?input=%7B%22json%22%3A%7B%7D%7D')).status).toBe(200)
    expect((await answer('repositories.list')).status).toBe(403)
    // Ten minutes are enough for a second act.
    await press(page, 'Revoke nightly report')
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click()
    await until(async () => (await answer('jobs.list?input=%7B%22json%22%3A%7B%7D%7D')).status, is(401))
  },
)

test.skipIf('missing' in chromium)(
  'ending a session shuts the other browser out while it looks on',
  async () => {
    const person = await server.createOperator({ email: 'eve@example.org', role: 'viewer' })
    const here = await signIn(person)
    const there = await signIn(person, '/hosts')
    const closed = there.waitForEvent('websocket').then(socket => socket.waitForEvent('close'))
    await there.reload()
    await there.getByText('Live ·').waitFor()
    await here.reload()
    const sessions = here.getByRole('list', { name: 'Sessions' })
    await until(() => sessions.getByRole('listitem').count(), is(2))
    expect(await sessions.getByText('this one').count()).toBe(1)
    await here.getByRole('button', { name: /^End the session/ }).click()
    await closed
    await there.waitForURL(/\/sign-in\?back=/)
    await until(() => sessions.getByRole('listitem').count(), is(1))
  },
)

test.skipIf('missing' in chromium)('after too many tries the page says how long to wait', async () => {
  const page = await newPage(browser)
  await page.goto(`${url}/sign-in`)
  for (let tries = 0; tries < 10; tries++)
    await page.request.post(`${url}/auth/sign-in/email`, { data: { email: 'a@b.example', password: 'x' } })
  await typePassword(page, { email: 'a@b.example', password: 'x' })
  await page.getByText(/Too many attempts\. Wait (\d+ s|1 min), then try again\./).waitFor()
})

test.skipIf('missing' in chromium)(
  'a page without TLS says so, unless it is on the machine itself',
  async () => {
    const page = await newPage(browser)
    await page.route('http://backup.example/**', async route => {
      const at = route.request().url().replace('http://backup.example', server.url)
      await route.fulfill({ response: await route.fetch({ url: at }) })
    })
    await page.goto('http://backup.example/sign-in')
    await page.getByText('This page and its passwords travel unencrypted.').waitFor()
    await page.goto(`${url}/sign-in`)
    await page.getByRole('button', { name: 'Sign in' }).waitFor()
    expect(await page.getByText('travel unencrypted').count()).toBe(0)
  },
)
