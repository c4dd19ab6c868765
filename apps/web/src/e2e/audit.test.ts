// The audit log in a real browser: what an admin changes stands there at once, with before and after, and can be filtered and saved.
import path from 'node:path'
import { readFile } from 'node:fs/promises'
import { startServer } from '@restic-manager/server/testing'
import { launchChromium, newPage, probeChromium } from '@restic-manager/testkit/chromium'
import { expect, test } from 'vitest'
import { build, root } from '../../../../scripts/processes.ts'

const chromium = await probeChromium()

test.skipIf('missing' in chromium)(
  'an admin finds in the audit log who changed what, and from what to what',
  async () => {
    await build()
    await using server = await startServer({ pageDir: path.join(root, 'apps/web/dist') })
    await server.api.settings.update.mutate({ logDays: 12 })
    await server.api.settings.update.mutate({ logDays: 21 })
    await using browser = await launchChromium()
    const page = await newPage(browser)
    const { email, password } = await server.createOperator({ email: 'anna@example.org' })
    await page.goto(`${server.url}/sign-in?back=/settings`)
    await page.getByLabel('E-mail').fill(email)
    await page.getByRole('textbox', { name: 'Password' }).fill('not my password')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('E-mail or password is wrong.').waitFor()
    await page.getByRole('textbox', { name: 'Password' }).fill(password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('link', { name: 'Audit log' }).click()

    const log = page.getByRole('table', { name: 'Audit log' })
    await log.getByRole('button', { name: 'signed in' }).first().waitFor()
    await log.getByRole('button', { name: 'sign-in failed' }).waitFor()
    await log.getByText('logDays: 12 → 21').waitFor()
    // What is done meanwhile comes by itself.
    await server.api.settings.update.mutate({ logDays: 33 })
    await log.getByText('logDays: 21 → 33').waitFor({ timeout: 5_000 })
    expect(await log.innerText()).not.toContain(password)

    await log.getByRole('button', { name: 'settings.update' }).first().click()
    const dialog = page.getByRole('dialog', { name: 'settings.update' })
    await dialog.getByText('127.0.0.1').waitFor()
    expect(await dialog.locator('del').innerText()).toBe('21')
    expect(await dialog.locator('ins').innerText()).toBe('33')
    await page.keyboard.press('Escape')

    // The address holds the filters, so that a link shows the same.
    await page.getByRole('textbox', { name: 'Who' }).fill('anna@')
    await page.getByRole('button', { name: 'Signed in', exact: true }).click()
    await page.waitForURL(/actor=anna(%40|@)/)
    await page.reload()
    await log.getByRole('button', { name: 'signed in' }).waitFor()
    expect(await log.getByRole('row').count()).toBe(2)

    await page.getByRole('button', { name: 'Export' }).click()
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('menuitem', { name: 'As lines of JSON' }).click(),
    ])
    const lines = (await readFile(await file.path(), 'utf8')).trimEnd().split('\n')
    expect(lines.map(line => JSON.parse(line) as unknown)).toMatchObject([
      { actorName: email, action: 'signed in', after: { by: 'password' } },
    ])

    await page.getByRole('textbox', { name: 'Who' }).fill('nobody of that name')
    await page.getByRole('button', { name: 'Show everything' }).click()
    await log.getByText('logDays: 12 → 21').waitFor()
  },
)
