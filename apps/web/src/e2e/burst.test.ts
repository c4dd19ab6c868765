// A thousand changes in a moment: an open page reads again as often as it would for one, and ends at what is true.
import path from 'node:path'
import { countCalls } from '@restic-manager/bench/page/calls'
import { startServer } from '@restic-manager/server/testing'
import { seedServer } from '@restic-manager/server/testing/seed'
import { launchChromium, newPage, probeChromium } from '@restic-manager/testkit/chromium'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { build, root } from '../../../../scripts/processes.ts'

const chromium = await probeChromium()

/** A page reads a query again at most about once a second, however much changes. */
const PAUSE_MS = 1_000
const HOSTS = 100
const ROUNDS = 10

test.skipIf('missing' in chromium)(
  'a thousand changes cost each query of an open page one read a second at most, and the page shows the last state',
  async () => {
    await build()
    await using server = await startServer({ pageDir: path.join(root, 'apps/web/dist') })
    await seedServer(server, { hosts: HOSTS, jobs: 500, days: 3 })
    const { api } = server
    await using browser = await launchChromium()
    const overview = await newPage(browser)
    await signIn(overview, server.url, await server.createOperator({ email: 'noor@example.org' }))
    await overview.getByRole('heading', { name: /hosts are protected\.$|^None of/ }).waitFor()
    const hosts = await newPage(browser, { storageState: await overview.context().storageState() })
    await hosts.goto(`${server.url}/hosts`)
    await hosts.getByRole('row').nth(10).waitFor()
    const pages = [overview, hosts]
    for (const page of pages) await page.waitForLoadState('networkidle')

    const counting = pages.map(countCalls)
    const began = performance.now()
    for (let round = 1; round <= ROUNDS; round += 1)
      await server.db.execute(
        changeHosts(`paused_at = case when left(id::text, 1) > '${round % 8}' then now() end`),
      )
    const { counts } = await api.hosts.list.query({ limit: 1 })
    expect(counts.paused).toBeGreaterThan(0)
    await hosts.getByRole('button', { name: `Paused ${counts.paused}` }).waitFor()
    const { fleet } = await api.overview.get.query()
    await overview.getByText(`${fleet.counts.paused.toLocaleString('en-GB')} paused`).waitFor()

    for (const page of pages) await page.waitForLoadState('networkidle')
    const calls = counting.map(each => each.stop())
    const most = Math.ceil((performance.now() - began) / PAUSE_MS) + 1
    for (const { queries } of calls) {
      expect(queries.size).toBeGreaterThan(0)
      for (const [query, count] of queries) expect(count, query).toBeLessThanOrEqual(most)
    }
  },
)

/** Changes all hosts and announces each, as the server does when many agents report in one moment. */
const changeHosts = (change: string) => `
  with changed as (update hosts set ${change} where removed_at is null returning id)
  select count(pg_notify('restic_manager', 'host:' || id)) from changed`

async function signIn(page: Page, url: string, { email, password }: { email: string; password: string }) {
  await page.goto(`${url}/sign-in`)
  await page.getByLabel('E-mail').fill(email)
  await page.getByRole('textbox', { name: 'Password' }).fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}
