// The command palette in a real browser, by keyboard alone: found, chosen, run, and the focus back where it was.
import path from 'node:path'
import { startSimulatedAgent } from '@restic-manager/bench/simulator/agent'
import { newId } from '@restic-manager/contract/ids'
import { startServer } from '@restic-manager/server/testing'
import { launchChromium, newPage, probeChromium } from '@restic-manager/testkit/chromium'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { build, root } from '../../../../scripts/processes.ts'

const chromium = await probeChromium()

async function openFleet() {
  await using undo = new AsyncDisposableStack()
  await build()
  const server = undo.use(await startServer({ pageDir: path.join(root, 'apps/web/dist') }))
  const wish = {
    url: server.url,
    hostname: 'web-1',
    random: Math.random,
    behaviour: { workMs: { least: 1, most: 9 } },
  }
  const agent = undo.use(await startSimulatedAgent({ ...wish, token: await server.createEnrolment() }))
  const { repositoryId } = await server.api.repositories.create.mutate({
    ...{ requestId: newId(), name: 'vault', url: '/srv/vault', hostIds: [agent.hostId] },
  })
  await server.api.schedules.create.mutate({
    ...{ requestId: newId(), hostId: agent.hostId },
    schedule: {
      ...{
        name: 'Mailboxes',
        kind: 'backup',
        repositoryIds: [repositoryId],
        paths: ['/srv'],
        timeZone: 'UTC',
      },
      ...{ enabled: true, manual: true, catchUp: 'none', overlap: 'skip', jitterSeconds: 0 },
    },
  })
  const browser = undo.use(await launchChromium())
  const page = await newPage(browser)
  const { email, password } = await server.createOperator()
  await page.goto(`${server.url}/sign-in?back=/hosts`)
  await page.getByLabel('E-mail').fill(email)
  await page.getByRole('textbox', { name: 'Password' }).fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('heading', { name: 'Hosts' }).waitFor()
  const owned = undo.move()
  return { server, page, hostId: agent.hostId, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

test.skipIf('missing' in chromium)(
  'everything is found, run and switched without a mouse, and the focus goes back to where it was',
  async () => {
    await using fleet = await openFleet()
    const { server, page, hostId } = fleet
    const field = page.getByRole('combobox', { name: 'Find hosts, jobs, actions' })
    /** Keys go where the focus is, and a palette that still closes would be closed again. */
    const open = async () => {
      await field.waitFor({ state: 'hidden' })
      await page.keyboard.press('Control+k')
      await field.and(page.locator(':focus')).waitFor()
    }
    const find = async (text: string, line: string | RegExp) => {
      await open()
      await page.keyboard.type(text)
      await page.getByRole('option', { name: line }).waitFor()
    }
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute('aria-label'))

    // From the box, there and back.
    const box = page.getByRole('button', { name: 'Find hosts, jobs, actions' })
    await box.focus()
    await page.keyboard.press('Enter')
    await field.waitFor()
    await page.keyboard.press('Escape')
    await field.waitFor({ state: 'hidden' })
    await until(focused, name => name === 'Find hosts, jobs, actions')

    await find('web', /^web-1/)
    const chosen = () =>
      page.evaluate(() => {
        const id = document.activeElement?.getAttribute('aria-activedescendant')
        const line = id == null ? null : document.querySelector(`#${CSS.escape(id)}`)
        return [line?.getAttribute('aria-selected'), line?.firstElementChild?.nextElementSibling?.textContent]
      })
    expect(await chosen()).toEqual(['true', 'web-1'])
    await page.keyboard.press('ArrowDown')
    expect(await chosen()).toEqual(['true', 'Mailboxes'])
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Enter')
    await page.waitForURL(`**/hosts/${hostId}`)
    await page.getByRole('radio', { name: 'Host' }).waitFor({ state: 'attached' })

    // A schedule of the host, now; the page of its job opens.
    await find('run mailboxes', /^Run Mailboxes/)
    await page.keyboard.press('Enter')
    await page.waitForURL('**/jobs/*')
    const { rows } = await server.api.jobs.list.query({})
    expect(page.url()).toContain(rows[0]?.id)
    await find(rows[0]?.id.slice(0, 8) ?? '', /^Backup on web-1/)
    await page.keyboard.press('Escape')

    // What was gone to lately stands on top.
    await open()
    await page
      .getByRole('group', { name: 'Recent' })
      .getByRole('option', { name: /^web-1/ })
      .waitFor()
    await page.keyboard.press('Escape')

    await find('dark', 'Dark colours')
    await page.keyboard.press('Enter')
    await page.locator('html[data-mantine-color-scheme="dark"]').waitFor()
    await page.keyboard.press('Control+k')
    await field.waitFor()
    await page.keyboard.type('no such thing')
    await page.getByText('Nothing has all of these words.').waitFor()
    await page.keyboard.press('Escape')
    await find('add host', 'Add host')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Add a host' }).waitFor()
    await page.keyboard.press('Escape')

    // Single keys, until they are turned off.
    await page.getByRole('dialog').waitFor({ state: 'hidden' })
    await page.keyboard.press('g')
    await page.keyboard.press('r')
    await page.waitForURL('**/repositories')
    await page.keyboard.press('?')
    const keys = page.getByRole('dialog', { name: 'Keys' })
    await keys.getByRole('switch', { name: 'Single keys' }).focus()
    await page.keyboard.press('Space')
    await keys.getByText('This list').waitFor({ state: 'hidden' })
    await page.keyboard.press('Escape')
    await keys.waitFor({ state: 'hidden' })
    for (const key of ['?', 'g', 'h']) await page.keyboard.press(key)
    expect(await page.getByRole('dialog').count()).toBe(0)
    expect(page.url()).toMatch(/repositories$/)

    await page.setViewportSize({ width: 390, height: 844 })
    await box.click()
    await page.keyboard.type('sign')
    await page.getByRole('option', { name: 'Sign out' }).click()
    await page.waitForURL('**/sign-in')
  },
)
