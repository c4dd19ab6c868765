// The first hour of an operator, in a real browser: from the set-up link to a snapshot that plain restic confirms.
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { launchChromium, newPage, probeChromium } from '@restic-manager/testkit/chromium'
import { makeFiles, readTree } from '@restic-manager/testkit/files'
import { lightenRepository } from '@restic-manager/testkit/light-repository'
import { resticRepository } from '@restic-manager/testkit/restic-repository'
import { expect, test } from 'vitest'
import { ensureRestic } from '../../../../scripts/restic.mjs'
import { openHouse } from './house.ts'

const chromium = await probeChromium()

test.skipIf('missing' in chromium)(
  'from the set-up link to a snapshot: first admin, a host, a repository, a backup watched to its end',
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
    await page.getByLabel('Name').fill('Noor Khalil')
    await page.getByLabel('E-mail').fill('noor@example.net')
    await page.getByRole('textbox', { name: 'Password' }).fill('correct horse battery')
    await page.getByRole('button', { name: 'Make the admin and continue' }).click()
    expect(new URL(page.url()).hash).toBe('')

    await page.getByRole('button', { name: 'Add host' }).click()
    const dialog = page.getByRole('dialog', { name: 'Add a host' })
    const line = dialog.getByLabel('Line to paste on the host')
    await line.getByText('rmj_').waitFor()
    await house.pasteLine(await line.innerText(), 'atlas')
    await dialog.getByText('atlas is online.').waitFor()
    await page.keyboard.press('Escape')

    await page.getByRole('button', { name: 'Back up this host' }).click()
    const folders = page.getByRole('combobox', { name: 'Folders' })
    await folders.waitFor()
    while ((await folders.locator('..').getByText('/').count()) > 0) await folders.press('Backspace')
    await page.getByText('Add at least one folder.').waitFor()
    await folders.fill(files)
    await folders.press('Enter')
    await page.getByRole('textbox', { name: 'Name' }).fill('atlas-disk')
    await page.getByLabel('Folder on the host').fill(repositoryFolder)
    await page.getByRole('button', { name: 'Save and test' }).click()
    await page.getByRole('button', { name: 'Initialise' }).click()
    const password = await page.getByLabel('Repository password').innerText()
    await page.getByText('Initialised').or(page.getByText('initialised')).first().waitFor()
    lightenRepository(repositoryFolder, password)
    await page.getByRole('button', { name: 'Continue to the plan' }).click()

    await page.getByText('Keeps 7 daily, 4 weekly').waitFor()
    await page.getByRole('button', { name: 'Start the first backup' }).click()
    await page.waitForURL(/\/jobs\//)
    await page.getByText('Succeeded').first().waitFor()

    await page.getByRole('link', { name: 'atlas', exact: true }).first().click()
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
