// The list of hosts by hand and by keyboard: hosts are chosen, paused with a reason, tagged, found again by tag and state, and resumed.
import { operatorClient } from '@restic-manager/server/testing'
import { launchChromium, newPage, probeChromium } from '@restic-manager/testkit/chromium'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { openHouse } from './house.ts'

const chromium = await probeChromium()
const [email, password] = ['noor@example.net', 'correct horse battery']

test.skipIf('missing' in chromium)(
  'hosts are chosen, paused, tagged, found by what they are and resumed, with keys alone where a list is worked through',
  async () => {
    await using house = await openHouse()
    const { url } = house.server
    await using browser = { at: await launchChromium(), [Symbol.asyncDispose]: () => browser.at.close() }
    const page = await newPage(browser.at)
    await page.goto(house.server.setupLink ?? '')
    await page.getByLabel('Name').fill('Noor Khalil')
    await page.getByLabel('E-mail').fill(email)
    await page.getByRole('textbox', { name: 'Password' }).fill(password)
    await page.getByRole('button', { name: 'Make the admin and continue' }).click()
    await page.getByRole('heading', { name: 'This machine' }).waitFor()
    for (const name of ['atlas', 'boreas'])
      await house.pasteLine(`--server ${url} --token ${(await house.admin('create-enrolment')).trim()}`, name)
    const key = (await house.admin('create-api-key', '--operator', email, '--name', 'test')).trim()
    const { api, close } = operatorClient(url, key)
    try {
      await until(
        () => api.hosts.list.query({ state: 'online' }),
        ({ total }) => total === 2,
      )
      await page.goto(`${url}/hosts`)
      const dialog = page.getByRole('dialog')
      const bar = page.getByRole('toolbar', { name: 'With the chosen hosts' })
      // The arrow keys go from row to row, Space chooses.
      await page.getByRole('link', { name: 'atlas' }).focus()
      await page.keyboard.press('ArrowDown')
      await page.keyboard.press('Space')
      await bar.getByText('1 host chosen').waitFor()
      await bar.getByRole('button', { name: 'Pause' }).click()
      await dialog.getByText('This pauses 1 host').waitFor()
      await dialog.getByLabel('Why').fill('new disks')
      await dialog.getByRole('button', { name: 'Pause' }).click()
      await dialog.getByText('1 host paused.').waitFor()
      await dialog.getByRole('button', { name: 'Close' }).last().click()
      const [paused] = (await api.hosts.list.query({ state: 'paused' })).rows
      expect(paused).toMatchObject({ name: 'boreas', pause: { by: email, reason: 'new disks' } })

      await page.getByRole('checkbox', { name: 'Choose the hosts listed so far' }).check()
      await bar.getByRole('button', { name: 'Add tag' }).click()
      await dialog.getByLabel('Tag').fill('berlin')
      await dialog.getByText('2 hosts get this tag').waitFor()
      await dialog.getByRole('button', { name: 'Add tag' }).click()
      await dialog.getByText('2 hosts tagged.').waitFor()
      await dialog.getByRole('button', { name: 'Close' }).last().click()

      await page.goto(`${url}/hosts?state=paused&tags=%5B%22berlin%22%5D`)
      await page.getByText('1 of 2 hosts').waitFor()
      await page.getByRole('link', { name: 'boreas' }).focus()
      await page.keyboard.press('Enter')
      await page.getByText(`Paused by ${email}`).waitFor()
      await page.getByRole('button', { name: 'Resume' }).click()
      await page.getByRole('button', { name: 'Pause' }).waitFor()
      expect((await api.hosts.list.query({ state: 'paused' })).total).toBe(0)
    } finally {
      close()
    }
  },
)
