// The recovery kit of a repository in a real browser: hidden until it is asked for, gone when it is closed, and good for plain restic.
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { newId } from '@restic-manager/contract/ids'
import { startServer } from '@restic-manager/server/testing'
import { launchChromium, newPage, probeChromium } from '@restic-manager/testkit/chromium'
import { expect, test } from 'vitest'
import { build, root } from '../../../../scripts/processes.ts'
import { ensureRestic } from '../../../../scripts/restic.mjs'

const chromium = await probeChromium()
const run = promisify(execFile)

test.skipIf('missing' in chromium)(
  'an admin shows the kit of a repository, saves it, and a shell with it opens the repository',
  async () => {
    await build()
    const { path: restic } = await ensureRestic()
    const folder = await mkdtemp('/tmp/rm-kit-')
    const password = `it's "$a" kit-canary`
    const repository = path.join(folder, 'r')
    const env = { PATH: `${path.dirname(restic)}:${process.env['PATH']}`, HOME: folder }
    await run(restic, ['init', '-r', repository], { env: { ...env, RESTIC_PASSWORD: password } })
    await using server = await startServer({ pageDir: path.join(root, 'apps/web/dist') })
    const { repositoryId } = await server.api.repositories.create.mutate({
      ...{ requestId: newId(), name: 'vault', url: repository, password, hostIds: [] },
      mayDelete: true,
    })
    await using browser = await launchChromium()
    const page = await newPage(browser)
    const admin = await server.createOperator()
    await page.goto(`${server.url}/sign-in?back=/repositories/${repositoryId}`)
    await page.getByLabel('E-mail').fill(admin.email)
    await page.getByRole('textbox', { name: 'Password' }).fill(admin.password)
    await page.getByRole('button', { name: 'Sign in' }).click()

    await page.getByRole('button', { name: 'Recovery kit' }).click()
    const dialog = page.getByRole('dialog', { name: 'Recovery kit of vault' })
    expect(await page.content()).not.toContain('kit-canary')
    await dialog.getByRole('button', { name: 'Show it' }).click()
    await dialog.getByLabel('Repository password').getByText(password).waitFor()
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      dialog.getByRole('button', { name: 'Download' }).click(),
    ])
    expect(file.suggestedFilename()).toBe('recovery-kit-vault.txt')
    const kit = await readFile(await file.path(), 'utf8')
    const shell = path.join(folder, 'open.sh')
    const exports = kit.split('\n').filter(line => line.startsWith('export '))
    await writeFile(shell, [...exports, `restic cat config --no-cache`].join('\n'))
    expect((await run('/bin/sh', [shell], { env })).stdout).toContain('"chunker_polynomial"')

    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })
    expect(await page.content()).not.toContain('kit-canary')
    expect(page.url()).toBe(`${server.url}/repositories/${repositoryId}`)
    const kept = await page.evaluate(() =>
      JSON.stringify([{ ...localStorage }, { ...sessionStorage }, history.state]),
    )
    expect(kept).not.toContain('kit-canary')
    await page.getByRole('button', { name: 'Recovery kit' }).click()
    await dialog.getByRole('button', { name: 'Show it' }).waitFor()
    const { rows } = await server.api.audit.list.query({})
    expect(rows.filter(({ action }) => action === 'repositories.reveal')).toMatchObject([
      { actorName: admin.email, targetName: 'vault' },
    ])
    await rm(folder, { recursive: true })
  },
)
