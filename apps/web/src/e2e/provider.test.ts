// Signing in through an identity provider, in a real browser, by the provider's own form, which lies on another site.
import path from 'node:path'
import { signInHouse, type SignInHouse } from '@restic-manager/server/testing/sign-in'
import { launchChromium, newPage, probeChromium } from '@restic-manager/testkit/chromium'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { build, root } from '../../../../scripts/processes.ts'

const pageDir = path.join(root, 'apps/web/dist')
const chromium = await probeChromium()
let house: SignInHouse

beforeAll(async () => {
  await build()
  house = await signInHouse({}, { pageDir })
})
afterAll(() => house[Symbol.asyncDispose]())

/** What goes wrong on our own pages; nobody being signed in yet is no fault. */
function complaintsOf(page: Page) {
  const complaints: string[] = []
  page.on('pageerror', error => complaints.push(error.message))
  page.on('console', message => {
    const isOurs = message.location().url.startsWith(house.server.url)
    if (isOurs && message.type() === 'error' && !message.text().includes('401'))
      complaints.push(message.text())
  })
  return complaints
}

async function fillIn(page: Page, name: string) {
  await page.waitForURL(url => url.origin === house.provider.issuer)
  await page.getByPlaceholder('Enter any login').fill(name)
  await page.getByPlaceholder('and password').fill('x')
  await page.getByRole('button', { name: 'Sign-in' }).click()
}

const button = (page: Page) => page.getByRole('button', { name: 'Sign in with Test ID' })

test.skipIf('missing' in chromium)(
  'somebody who was invited signs in through the provider and is back where they wanted to be; others are told why not',
  async () => {
    const { server, provider } = house
    await using browser = await launchChromium()
    const page = await newPage(browser)
    const complaints = complaintsOf(page)
    const email = 'noor@example.org'
    provider.people.set('noor', { email, email_verified: true, name: 'Noor Khalil' })

    await page.goto(`${server.url}/jobs?kind=backup`)
    await button(page).click()
    await fillIn(page, 'noor')
    await page.getByText('Nobody let you in here yet.').waitFor()
    expect(new URL(page.url()).pathname).toBe('/sign-in')

    await server.api.users.invite.mutate({ email, role: 'operator', tags: null })
    // Signed in at the provider already, nothing is typed again.
    await button(page).click()
    await page.waitForURL(`${server.url}/jobs?kind=backup`)
    await page.getByRole('button', { name: /^Noor Khalil .*menu$/ }).waitFor()
    const cookies = await page.context().cookies(server.url)
    expect(cookies.filter(({ name }) => name === 'restic-manager')).toMatchObject([
      { httpOnly: true, sameSite: 'Strict' },
    ])
    expect(complaints).toEqual([])

    const stranger = await newPage(browser)
    provider.people.set('eve', { email: 'eve@example.org', email_verified: false })
    await stranger.goto(`${server.url}/sign-in`)
    await button(stranger).click()
    await fillIn(stranger, 'eve')
    await stranger.getByText('does not confirm your e-mail').waitFor()
  },
)

test.skipIf('missing' in chromium)(
  'while the provider is away the page says so, and the password lets in',
  async () => {
    await using away = await signInHouse({}, { pageDir })
    away.provider.instead = (_request, response) => void response.writeHead(503).end()
    const { server } = away
    await using browser = await launchChromium()
    const page = await newPage(browser)
    const { email, password } = await server.createOperator()
    await page.goto(`${server.url}/sign-in?problem=<script>`)
    await button(page).click()
    await page.getByText('The identity provider does not answer.').waitFor()
    await page.getByLabel('E-mail').fill(email)
    await page.getByRole('textbox', { name: 'Password' }).fill(password)
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await page.waitForURL(`${server.url}/`)
  },
)
