// The first hour of an operator, in a real browser and by keyboard alone: from the set-up link to a snapshot that plain restic confirms.
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { launchChromium, newPage, probeChromium } from '@restic-manager/testkit/chromium'
import { makeFiles, readTree } from '@restic-manager/testkit/files'
import { lightenRepository } from '@restic-manager/testkit/light-repository'
import { resticRepository } from '@restic-manager/testkit/restic-repository'
import { expect, test } from 'vitest'
import { ensureRestic } from '../../../../scripts/restic.mjs'
import { openHouse } from './house.ts'
import { press, tabTo, type } from './keys.ts'

const chromium = await probeChromium()

test.skipIf('missing' in chromium)(
  'from the set-up link to a snapshot: first admin, a host, a repository, a backup watched to its end, without a pointer',
  async () => {
    await using house = await openHouse()
    await using browser = await launchChromium()
    const page = await newPage(browser)
    const complaints: string[] = []
    page.on('pageerror', error => complaints.push(error.message))
    page.on('console', message => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    const files = path.join(house.folder, 'files')
    await mkdir(files)
    makeFiles(files, { files: 300, bytes: 40e6 })
    const repositoryFolder = path.join(house.folder, 'repository')

    expect(house.server.setupLink).toBeDefined()
    await page.goto(house.server.setupLink ?? '')
    const button = (name: string) => page.getByRole('button', { name })
    await type(page, page.getByLabel('Name'), 'Noor Khalil')
    await type(page, page.getByLabel('E-mail'), 'noor@example.net')
    await type(page, page.getByRole('textbox', { name: 'Password' }), 'correct horse battery')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'This machine' }).waitFor()
    expect(new URL(page.url()).hash).toBe('')

    await press(page, button('Add host'))
    const dialog = page.getByRole('dialog', { name: 'Add a host' })
    const line = dialog.getByLabel('Line to paste on the host')
    await line.getByText('rmj_').waitFor()
    await house.pasteLine(await line.innerText(), 'atlas')
    await dialog.getByText('atlas is online.').waitFor()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'hidden' })

    await press(page, button('Back up this host'))
    const folders = page.getByRole('combobox', { name: 'Folders' })
    await tabTo(page, folders)
    while ((await folders.locator('..').getByText('/').count()) > 0) await page.keyboard.press('Backspace')
    await page.getByText('Add at least one folder.').waitFor()
    await page.keyboard.insertText(files)
    await page.keyboard.press('Enter')
    await type(page, page.getByRole('textbox', { name: 'Name' }), 'atlas-disk')
    await type(page, page.getByLabel('Folder on the host'), repositoryFolder)
    await press(page, button('Save and test'))
    await press(page, button('Initialise'))
    const password = await page.getByLabel('Repository password').innerText()
    await page.getByText('Initialised').or(page.getByText('initialised')).first().waitFor()
    lightenRepository(repositoryFolder, password)
    await press(page, button('Continue to the plan'))

    await page.getByText('Keeps 7 daily, 4 weekly').waitFor()
    await press(page, button('Start the first backup'))
    await page.waitForURL(/\/jobs\//)
    await page.getByText('Succeeded').first().waitFor()

    await press(page, page.getByRole('link', { name: 'atlas', exact: true }).first())
    await page.waitForURL(/\/hosts\//)
    for (const schedule of ['Backup', 'Retention', 'Check'])
      await page.getByRole('link', { name: schedule, exact: true }).first().waitFor()
    const repository = resticRepository({
      restic: (await ensureRestic()).path,
      url: repositoryFolder,
      password,
    })
    const [snapshot, ...others] = await repository.snapshots()
    expect(others).toEqual([])
    await page
      .getByText(snapshot?.short_id ?? 'no snapshot')
      .first()
      .waitFor()

    const restored = path.join(house.folder, 'restored')
    await repository.restore('latest', restored)
    expect(readTree(path.join(restored, files))).toEqual(readTree(files))
    expect(complaints).toEqual([])
  },
)
