// Every screen in both themes: axe-core finds nothing serious, in a real browser with a seeded fleet.
import path from 'node:path'
import { startServer, type TestServer } from '@restic-manager/server/testing'
import { seedServer } from '@restic-manager/server/testing/seed'
import { launchChromium, newPage, probeChromium } from '@restic-manager/testkit/chromium'
import axe from 'axe-core'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { build, root } from '../../../../scripts/processes.ts'

const chromium = await probeChromium()

/** Every screen there is, and what says that it has come. */
async function screensOf({ api }: TestServer): Promise<[string, string][]> {
  const { rows: hosts } = await api.hosts.list.query({ limit: 50 })
  const { rows: jobs } = await api.jobs.list.query({ limit: 1, statuses: ['failed'] })
  const { rows: running } = await api.jobs.list.query({ limit: 1, statuses: ['running'] })
  const schedules = await api.schedules.list.query({ hostId: hosts[0]?.id })
  const [repository] = await api.repositories.list.query()
  const forget = schedules.find(({ schedule }) => schedule.kind === 'forget') ?? schedules[0]
  const quarantined = hosts.find(({ state }) => state === 'quarantined') ?? hosts[1]
  return [
    ['/', 'Backups, last 30 days'],
    ['/attention', 'Red first'],
    ['/hosts', 'Hosts'],
    [`/hosts/${hosts[0]?.id}`, hosts[0]?.name ?? ''],
    [`/hosts/${quarantined?.id}`, quarantined?.name ?? ''],
    [`/hosts/${hosts[0]?.id}/schedules/add`, 'Save schedule'],
    [`/schedules/${forget?.id}`, forget?.schedule.name ?? ''],
    ['/jobs', 'Jobs'],
    [`/jobs/${jobs[0]?.id}`, 'Details'],
    [`/jobs/${running[0]?.id}`, 'Details'],
    ['/snapshots', 'Snapshots'],
    ['/repositories', 'Repositories'],
    [`/repositories/${repository?.id}`, repository?.name ?? ''],
    ['/repositories/add', 'Save and test'],
    ['/settings', 'Settings'],
    ['/settings/users', 'Users'],
    ['/settings/sign-in', 'Sign-in'],
    ['/settings/audit', 'Audit'],
    ['/settings/about', 'About'],
    ['/account', 'Password'],
    ['/setup', 'This machine'],
    ['/no-such-page', 'There is nothing at this address'],
  ]
}

/** What axe finds and calls serious or critical, as lines a person can act on. */
async function seriousIn(page: Page, rules: string[] = []): Promise<string[]> {
  const { violations } = await page.evaluate(
    (runOnly): Promise<axe.AxeResults> =>
      (globalThis as unknown as { axe: typeof axe }).axe.run({
        resultTypes: ['violations'],
        ...(runOnly.length > 0 && { runOnly }),
      }),
    rules,
  )
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, help, nodes }) =>
      nodes
        .slice(0, 3)
        .map(node => `${id}: ${help}: ${node.html.slice(0, 160)} ${node.failureSummary ?? ''}`),
    )
}

/** Resolves when nothing is on its way to its new colours: a page that is looked at meanwhile has some of both. */
async function turnDark(page: Page): Promise<void> {
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.locator('html[data-mantine-color-scheme="dark"]').waitFor()
  await page.evaluate(async () => {
    await new Promise(resolve => requestAnimationFrame(() => requestAnimationFrame(resolve)))
    const ending = document
      .getAnimations()
      .filter(animation => Number.isFinite(animation.effect?.getComputedTiming().endTime))
    await Promise.allSettled(ending.map(animation => animation.finished))
  })
}

test.skipIf('missing' in chromium)('no screen has a serious violation, in light and in dark', async () => {
  await build()
  await using server = await startServer({ pageDir: path.join(root, 'apps/web/dist') })
  await seedServer(server, { hosts: 40, jobs: 1_500 })
  const { email, password } = await server.createOperator({ email: 'noor@example.org' })
  await using browser = await launchChromium()
  const page = await newPage(browser)
  const found: string[] = []
  const look = async (at: string, sign: string) => {
    await page.emulateMedia({ colorScheme: 'light' })
    await page.goto(`${server.url}${at}`)
    await page.getByText(sign).first().waitFor()
    await page.evaluate(axe.source)
    for (const line of await seriousIn(page)) found.push(`${at} light ${line}`)
    await turnDark(page)
    // Themes differ in colours alone.
    for (const line of await seriousIn(page, ['color-contrast', 'link-in-text-block']))
      found.push(`${at} dark ${line}`)
  }

  await look('/sign-in', 'Sign in')
  await page.getByLabel('E-mail').fill(email)
  await page.getByRole('textbox', { name: 'Password' }).fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('navigation', { name: 'Pages' }).waitFor()

  for (const [at, sign] of await screensOf(server)) await look(at, sign)
  expect(found).toEqual([])
})
