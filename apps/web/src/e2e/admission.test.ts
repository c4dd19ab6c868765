// Letting a host in, in a real browser with a real agent: the fingerprint is compared, the host let in, copied, released, and re-keyed.
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { startAgent } from '@restic-manager/agent/testing'
import { startServer } from '@restic-manager/server/testing'
import { joinAsAgent, type RawAgent } from '@restic-manager/server/testing/agent'
import { launchChromium, newPage, probeChromium } from '@restic-manager/testkit/chromium'
import { is, until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { build, root } from '../../../../scripts/processes.ts'

const chromium = await probeChromium()
const timing = { approvalAsk: 500, backoffBase: 50, backoffCap: 500, keyWatch: 200 }

test.skipIf('missing' in chromium)(
  'a host waits until its fingerprint was compared, and an admin replaces its key and releases it from quarantine',
  async () => {
    await build()
    await using server = await startServer({ pageDir: path.join(root, 'apps/web/dist') })
    await using browser = await launchChromium()
    const page = await newPage(browser)
    const { email, password } = await server.createOperator({ email: 'anna@example.org' })
    await page.goto(`${server.url}/sign-in?back=/hosts`)
    await page.getByLabel('E-mail').fill(email)
    await page.getByRole('textbox', { name: 'Password' }).fill(password)
    await page.getByRole('button', { name: 'Sign in' }).click()

    await page.getByRole('button', { name: 'Add host' }).first().click()
    const dialog = page.getByRole('dialog', { name: 'Add a host' })
    const line = dialog.getByLabel('Line to paste on the host')
    const tokenIn = (text: string) => /rmj_[A-Za-z0-9_-]{43}/.exec(text)?.[0] ?? ''
    const first = await until(
      async () => tokenIn(await line.innerText()),
      token => token !== '',
    )
    await dialog.getByRole('button', { name: 'More' }).click()
    await dialog.getByRole('switch', { name: 'Wait until an admin has compared its fingerprint' }).click()
    await dialog.getByRole('button', { name: 'Make a new line' }).click()
    const token = await until(
      async () => tokenIn(await line.innerText()),
      text => text !== '' && text !== first,
    )

    await using agent = await startAgent(
      { url: server.url, createEnrolment: async () => token },
      { name: 'atlas', timing },
    )
    await until(() => agent.status().link?.state, is('waiting'))
    const { fingerprint } = agent.status()
    await dialog.getByText('atlas waits for approval.').waitFor()
    await dialog.getByText(fingerprint ?? 'none').waitFor()
    await dialog.getByRole('button', { name: 'Let it in' }).click()
    await until(() => agent.status().link?.state, is('connected'))
    await dialog.getByText('Let in', { exact: true }).waitFor()

    await dialog.getByRole('button', { name: 'More' }).click()
    await dialog.getByLabel('How many hosts').fill('3')
    await dialog.getByRole('combobox', { name: 'Works for' }).click()
    await page.getByRole('option', { name: '7 days' }).click()
    await dialog.getByLabel('Tags').fill('lab')
    await dialog.getByLabel('Tags').press('Enter')
    await dialog.getByRole('switch', { name: 'Wait until an admin has compared its fingerprint' }).click()
    await dialog.getByRole('button', { name: 'Make a new line' }).click()
    await dialog.getByText('3 hosts · 7 days · lab · let in at once').waitFor()
    const shared = await until(
      async () => tokenIn(await line.innerText()),
      text => text !== '' && text !== token,
    )
    const came = dialog.getByRole('list').getByRole('listitem')
    await dialog.getByText('0 of 3').waitFor()
    const machines: RawAgent[] = []
    for (const count of [1, 2, 3]) {
      machines.push(await joinAsAgent(server.url, shared))
      await dialog.getByText(`${count} of 3`).waitFor()
      expect(await came.count()).toBe(count)
    }
    expect((await server.api.hosts.get.query({ hostId: machines[2]?.hostId ?? '' })).tags).toEqual(['lab'])
    await expect(joinAsAgent(server.url, shared)).rejects.toThrow('used up')
    await dialog.getByText('This token was refused 1 time.').waitFor()
    const enrolment = (await server.api.enrolments.list.query()).find(({ maxUses }) => maxUses === 3)
    expect(Number(enrolment?.expiresAt) - Number(enrolment?.createdAt)).toBe(7 * 86_400_000)
    await page.keyboard.press('Escape')

    await page.goto(`${server.url}/hosts/${agent.hostId}`)
    await page.getByText(fingerprint ?? 'none').waitFor()
    await page.getByRole('button', { name: 'Replace the key' }).click()
    await page.getByText(fingerprint ?? 'none').waitFor({ state: 'hidden' })
    const renewed = await until(
      () => agent.status().fingerprint,
      text => text !== fingerprint,
    )
    await page.getByText(renewed ?? 'none').waitFor()

    await agent.stop()
    const copied = mkdtempSync(path.join(tmpdir(), 'rm-copy-'))
    cpSync(agent.stateDir, copied, { recursive: true })
    try {
      await agent.restart()
      await until(() => agent.status().link?.state, is('connected'))
      await using copy = await startAgent(server, { stateDir: copied, timing })
      await page.getByText('two machines answer with this host’s identity').waitFor()
      await until(() => copy.status().link?.state, is('refused'))
      await copy.stop()
      await page.getByRole('button', { name: 'Release', exact: true }).click()
      const asking = page.getByRole('dialog', { name: 'Release atlas?' })
      await asking.getByLabel('Type atlas to confirm').fill('atlas')
      await asking.getByRole('button', { name: 'Release host' }).click()
      await until(() => agent.status().link?.state, is('connected'))
      await copy.restart()
      await page.getByText('A copy of this host was turned away.').waitFor()
    } finally {
      rmSync(copied, { recursive: true, force: true })
    }
    await page.getByRole('link', { name: /Attention/ }).click()
    const row = page.getByRole('listitem').filter({ hasText: 'Turned away' })
    await row.getByRole('button', { name: 'Clear' }).click()
    const open = async () => (await server.api.alerts.list.query({ which: 'open' })).rows
    await until(async () => !(await open()).some(({ kind }) => kind === 'copy_turned_away'))
    expect(await page.getByRole('heading', { name: 'Needs attention' }).count()).toBe(1)
  },
)
