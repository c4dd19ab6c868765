// The list of jobs in a real browser: what is chosen above it stands in the address, and only that is listed.
import path from 'node:path'
import { startServer } from '@restic-manager/server/testing'
import { seedServer } from '@restic-manager/server/testing/seed'
import { launchChromium, newPage, probeChromium } from '@restic-manager/testkit/chromium'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { build, root } from '../../../../scripts/processes.ts'

const chromium = await probeChromium()

test.skipIf('missing' in chromium)(
  'jobs of some days are found by the days, the address says which, and a shorter word for a time replaces them',
  async () => {
    await build()
    await using server = await startServer({ pageDir: path.join(root, 'apps/web/dist') })
    await seedServer(server, { hosts: 4, jobs: 120, days: 20 })
    const { email, password } = await server.createOperator({ email: 'noor@example.net' })
    await using browser = await launchChromium()
    const page = await newPage(browser)
    await page.goto(`${server.url}/sign-in?back=/jobs`)
    await page.getByLabel('E-mail').fill(email)
    await page.getByRole('textbox', { name: 'Password' }).fill(password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    const list = page.getByRole('table', { name: 'Jobs' })
    await list.getByRole('row').nth(1).waitFor()

    const { rows: all } = await server.api.jobs.list.query({ limit: 200 })
    const dayOf = (at: Date) => at.toISOString().slice(0, 10)
    const days = [...new Set(all.map(({ createdAt }) => dayOf(createdAt)))].toSorted()
    const [first = '', second = ''] = days.slice(1)
    const ofDays = all.filter(({ createdAt }) => [first, second].includes(dayOf(createdAt)))
    expect(ofDays.length).toBeGreaterThan(0)
    await page.getByLabel('From').fill(first)
    await page.getByLabel('To', { exact: true }).fill(second)
    const rows = () => list.getAttribute('aria-rowcount')
    await until(rows, count => count === String(ofDays.length + 1), { what: 'the jobs of two days' })
    expect(page.url()).toContain(`from=${first}&until=${second}`)
    await page.reload()
    await until(rows, count => count === String(ofDays.length + 1), { what: 'the same after a reload' })

    const anyTime = page.getByRole('button', { name: 'Any time' })
    expect(await anyTime.getAttribute('aria-pressed')).toBe('false')
    await page.getByRole('button', { name: '7 days' }).click()
    await page.waitForURL(/since=7d/)
    expect(page.url()).not.toContain('from=')
    expect(await page.getByLabel('From').inputValue()).toBe('')
  },
)
