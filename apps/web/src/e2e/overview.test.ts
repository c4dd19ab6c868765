// The Overview in a real browser, on a seeded fleet: it says what the server says, leads to what clears it, and follows what changes.
import path from 'node:path'
import { startServer } from '@restic-manager/server/testing'
import { seedServer } from '@restic-manager/server/testing/seed'
import { launchChromium, newPage, probeChromium } from '@restic-manager/testkit/chromium'
import { expect, test } from 'vitest'
import { build, root } from '../../../../scripts/processes.ts'

const chromium = await probeChromium()

test.skipIf('missing' in chromium)(
  'the Overview says what is not protected, each with its button, and a change shows without a reload',
  async () => {
    await build()
    await using server = await startServer({ pageDir: path.join(root, 'apps/web/dist') })
    const { api } = server
    const { email, password } = await server.createOperator({ email: 'noor@example.org' })
    await using browser = await launchChromium()
    const page = await newPage(browser)
    await page.goto(`${server.url}/sign-in`)
    await page.getByLabel('E-mail').fill(email)
    await page.getByRole('textbox', { name: 'Password' }).fill(password)
    await page.getByRole('button', { name: 'Sign in' }).click()

    await page.getByRole('heading', { name: 'No host yet.' }).waitFor()
    await page.getByRole('link', { name: 'Go to hosts' }).waitFor()

    await seedServer(server, { hosts: 60, jobs: 4_000 })
    await page.reload()
    const { fleet, attention } = await api.overview.get.query()
    const good = fleet.counts.protected + fleet.counts.incomplete
    expect(good).toBeLessThan(fleet.total)
    await page.getByRole('heading', { name: `${good} of ${fleet.total} hosts are protected.` }).waitFor()
    await page.getByRole('img', { name: /^30 days: \d+ succeeded/ }).waitFor()
    await page.getByRole('img', { name: /slots planned, peak \d+ at/ }).waitFor()
    for (const { sentence, clear } of attention.rows) {
      await page.getByText(sentence).first().waitFor()
      expect(clear).not.toBeNull()
    }
    const failed = attention.rows.find(({ clear }) => clear?.do === 'retry')
    if (failed?.clear?.do !== 'retry') throw new Error('the seed made no failed backup')
    const row = page
      .getByRole('listitem')
      .filter({ hasText: failed.host?.name ?? '' })
      .filter({ hasText: failed.sentence })
    await row.first().getByRole('button', { name: 'Retry now' }).click()
    await row.first().getByRole('link', { name: 'Watch the job' }).waitFor()
    const { rows: retries } = await api.jobs.list.query({ limit: 10, statuses: ['queued', 'accepted'] })
    expect(retries.map(({ retryOf }) => retryOf)).toContain(failed.clear.jobId)

    const { red, amber } = attention.counts
    await page.getByText(`${red} red, ${amber} amber`).waitFor()
    const [worst] = attention.rows
    await api.alerts.acknowledge.mutate({ alertId: worst?.id ?? '' })
    await page.getByText('1 acknowledged, hidden').waitFor()

    await page.getByRole('link', { name: 'Open all' }).click()
    await page.getByRole('button', { name: /^Acknowledged/ }).click()
    await page.getByText(`acknowledged by`).waitFor()
    expect(new URL(page.url()).searchParams.get('view')).toBe('acknowledged')
  },
)
