// The pictures of the first minutes: set-up step by step, and every page while nothing is there yet.
import path from 'node:path'
import { makeFiles } from '@restic-manager/testkit/files'
import { type Album, type Browser, openCamera, type Page, type SignedIn } from './screenshot-camera.ts'

const noor = { name: 'Noor Khalil', email: 'noor@example.net', password: 'correct horse battery' }

const nothingYet = [
  { name: 'overview-empty', at: '/' },
  { name: 'attention-empty', at: '/attention' },
  { name: 'hosts-empty', at: '/hosts' },
  { name: 'jobs-empty', at: '/jobs' },
  { name: 'snapshots-empty', at: '/snapshots' },
  { name: 'repositories-empty', at: '/repositories' },
]

/** Goes through the set-up up to the plan, which it does not start. Answers the session of the admin it made. */
export async function shootSetUp(
  browser: Browser,
  album: Album,
  house: {
    url: string
    setupLink: string | undefined
    startHost: () => Promise<void>
    folder: string
    repository: string
  },
): Promise<SignedIn> {
  makeFiles(house.folder, { files: 40, bytes: 3e6 })
  await using visitor = await openCamera(browser, album, house)
  const { page } = visitor
  await visitor.shoot({ name: 'set-up-1', at: house.setupLink ?? '' })
  await page.getByLabel('Name').fill(noor.name)
  await page.getByLabel('E-mail').fill(noor.email)
  await page.getByRole('textbox', { name: 'Password' }).fill(noor.password)
  await page.getByRole('button', { name: 'Make the admin and continue' }).click()
  await page.getByRole('heading', { name: 'This machine' }).waitFor()

  const storageState = await page.context().storageState()
  {
    await using stranger = await openCamera(browser, album, house)
    await stranger.shootAll([{ name: 'sign-in', at: '/sign-in' }])
    await using camera = await openCamera(browser, album, { ...house, storageState })
    await camera.shootAll(nothingYet)
  }

  await house.startHost()
  await page.getByText('Online').first().waitFor({ timeout: 60_000 })
  await visitor.shoot({ name: 'set-up-2' })
  await page.getByRole('button', { name: 'Back up this host' }).click()
  await chooseFolder(page, house.folder)
  await page.getByRole('textbox', { name: 'Name' }).fill(`${path.basename(house.repository)}-disk`)
  await page.getByLabel('Folder on the host').fill(house.repository)
  await visitor.shoot({ name: 'set-up-3' })
  await page.getByRole('button', { name: 'Save and test' }).click()
  await page.getByRole('button', { name: 'Initialise' }).click()
  await page
    .getByText(/initialised/i)
    .first()
    .waitFor({ timeout: 60_000 })
  await visitor.shoot({ name: 'set-up-3-saved' })
  await page.getByRole('button', { name: 'Continue to the plan' }).click()
  await page.getByText('Keeps 7 daily, 4 weekly').waitFor()
  await visitor.shoot({ name: 'set-up-4' })
  return storageState
}

async function chooseFolder(page: Page, folder: string) {
  const folders = page.getByRole('combobox', { name: 'Folders' })
  await folders.focus()
  while ((await folders.locator('..').getByText('/').count()) > 0) await page.keyboard.press('Backspace')
  await page.keyboard.insertText(folder)
  await page.keyboard.press('Enter')
}
