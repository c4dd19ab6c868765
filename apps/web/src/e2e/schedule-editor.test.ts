// The schedule editor in a real browser: complaints beside their fields, a save that reaches the host, a stale edit, the end.
import path from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import { operatorClient } from '@restic-manager/server/testing'
import { launchChromium, newPage, probeChromium } from '@restic-manager/testkit/chromium'
import { makeFiles } from '@restic-manager/testkit/files'
import { lightenRepository } from '@restic-manager/testkit/light-repository'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { openHouse } from './house.ts'

const chromium = await probeChromium()
const [email, password] = ['noor@example.net', 'correct horse battery']

/** A house with one host, one initialised repository, and a browser in which its admin is signed in. */
async function openFurnishedHouse() {
  await using undo = new AsyncDisposableStack()
  const house = undo.use(await openHouse())
  const { url } = house.server
  const browser = undo.use(await launchChromium())
  const page = await newPage(browser)
  await page.goto(house.server.setupLink ?? '')
  await page.getByLabel('Name').fill('Noor Khalil')
  await page.getByLabel('E-mail').fill(email)
  await page.getByRole('textbox', { name: 'Password' }).fill(password)
  await page.getByRole('button', { name: 'Make the admin and continue' }).click()
  await page.getByRole('heading', { name: 'This machine' }).waitFor()
  const token = (await house.admin('create-enrolment')).trim()
  await house.pasteLine(`--server ${url} --token ${token}`, 'atlas')
  const key = (await house.admin('create-api-key', '--operator', email, '--name', 'test')).trim()
  const { api, close } = operatorClient(url, key)
  undo.defer(close)
  const { rows } = await until(
    () => api.hosts.list.query({ state: 'online' }),
    found => found.rows.length === 1,
  )
  const hostId = rows[0]?.id ?? ''
  const repository = path.join(house.folder, 'repository')
  const { repositoryId, password: secret } = await api.repositories.create.mutate({
    requestId: newId(),
    name: 'atlas-disk',
    url: repository,
    hostIds: [hostId],
  })
  const init = { requestId: newId(), hostId, repositoryId, kind: 'init', spec: {} } as const
  const { jobId } = await api.jobs.run.mutate(init)
  await until(
    () => api.jobs.get.query({ jobId }),
    ({ status }) => status === 'succeeded',
  )
  lightenRepository(repository, secret ?? '')
  const files = path.join(house.folder, 'files')
  makeFiles(files, { files: 20, bytes: 1e6 })
  const owned = undo.move()
  return { page, browser, api, url, hostId, files, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

test.skipIf('missing' in chromium)(
  'a schedule is typed, refused where it is wrong, sent to its host, run, edited against somebody else, paused and deleted',
  async () => {
    await using house = await openFurnishedHouse()
    const { page, api, url, hostId, files } = house
    await page.goto(`${url}/hosts/${hostId}/schedules/add?kind=backup`)
    const name = page.getByRole('textbox', { name: 'Name', exact: true })
    const folders = page.getByRole('combobox', { name: 'Folders' })
    await folders.waitFor()
    while ((await folders.locator('..').getByText('/').count()) > 0) await folders.press('Backspace')
    await name.fill('')
    await page.getByRole('button', { name: 'Save schedule' }).click()
    await page.getByText('Give the schedule a name.').waitFor()
    await page.getByText('Choose at least one folder to back up.').waitFor()
    await name.fill('Photos')
    await folders.fill(files)
    await folders.press('Enter')
    await page.getByRole('button', { name: 'Weekly', exact: true }).click()
    await page.getByRole('textbox', { name: 'At' }).fill('2:45')
    await page.getByText('Every Sunday at 02:45').waitFor()
    await page.getByRole('table', { name: 'Next five runs' }).getByText('02:45').first().waitFor()

    await page.getByRole('link', { name: 'Jobs' }).first().click()
    await page.getByRole('button', { name: 'Stay here' }).click()
    await page.getByRole('button', { name: 'Save schedule' }).click()
    const row = page.getByRole('listitem', { name: 'Photos' })
    await row.getByText('every Sunday at 02:45').waitFor()
    await row.getByText('waiting').waitFor({ state: 'hidden' })
    await row.getByRole('button', { name: 'Run now: Photos' }).click()
    await row.getByText('Succeeded').waitFor()

    await row.getByRole('link', { name: 'Photos' }).click()
    await name.fill('Photos of mine')
    const [saved] = await api.schedules.list.query({ hostId })
    if (saved === undefined) throw new Error('nothing was saved')
    const theirs = { ...saved.schedule, name: 'Photos of theirs', cron: '5 3 * * 0' }
    await api.schedules.update.mutate({ scheduleId: saved.id, version: saved.version, schedule: theirs })
    await page.getByRole('button', { name: 'Save and send' }).click()
    await page.getByRole('dialog', { name: 'Somebody else saved version 2' }).waitFor()
    await page.getByRole('button', { name: 'Keep mine, look again' }).click()
    await page.getByText('Every Sunday at 03:05').waitFor()
    await page.getByRole('button', { name: 'Save and send' }).click()

    const mine = page.getByRole('listitem', { name: 'Photos of mine' })
    await mine.getByRole('button', { name: 'What to do with' }).click()
    await page.getByRole('menuitem', { name: 'Pause' }).click()
    await mine.getByText('paused').waitFor()
    await mine.getByRole('button', { name: 'What to do with' }).click()
    await page.getByRole('menuitem', { name: 'Delete' }).click()
    await page.getByRole('dialog').getByRole('textbox').fill('Photos of mine')
    await page.getByRole('button', { name: 'Delete schedule' }).click()
    await page.getByText('Nothing is planned on this host yet.').waitFor()
    expect(await api.schedules.list.query({ hostId })).toEqual([])
  },
)
