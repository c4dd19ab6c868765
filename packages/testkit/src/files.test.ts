// The trees that tests back up: the same every time, awkward, and unreadable where they say so.
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { makeFiles, readTree } from './files.ts'
import { resticRepository } from './restic-repository.ts'
import { eachRestic } from './restic.ts'
import { launchWithoutRootReading, makeUnreadableFiles, unreadablePath } from './unreadable-files.ts'

function folder() {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'files-')))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  return dir
}

test('a tree has as many files and bytes as asked, and is the same for the same seed', () => {
  const [one, same, other] = [folder(), folder(), folder()]
  const made = makeFiles(one, { files: 500, bytes: 2_000_000, seed: 7 })
  makeFiles(same, { files: 500, bytes: 2_000_000, seed: 7 })
  makeFiles(other, { files: 500, bytes: 2_000_000, seed: 8 })
  expect(made).toHaveLength(500)
  expect(made.reduce((sum, file) => sum + file.bytes, 0)).toBe(2_000_000)
  expect(Object.keys(readTree(one))).toHaveLength(503)
  expect(readTree(same)).toEqual(readTree(one))
  expect(readTree(other)).not.toEqual(readTree(one))
})

test('the largest file is many times the smallest, and none is empty', () => {
  const sizes = makeFiles(folder(), { files: 500, bytes: 2_000_000 }).map(file => file.bytes)
  expect(Math.min(...sizes)).toBeGreaterThan(0)
  expect(Math.max(...sizes)).toBeGreaterThan(50 * Math.min(...sizes))
})

await eachRestic(restic => {
  test('awkward names come back from restic byte by byte', async () => {
    const dir = folder()
    makeFiles(join(dir, 'source'), { files: 40, bytes: 400_000 })
    const repository = resticRepository({ restic: restic.path, url: join(dir, 'repo'), password: 'p' })
    await repository.init()
    await repository.backup([join(dir, 'source')])
    await repository.restore('latest', join(dir, 'back'))
    expect(readTree(join(dir, 'back', dir, 'source'))).toEqual(readTree(join(dir, 'source')))
  })

  test('unreadable files make a backup incomplete even for root, and the rest comes back', async () => {
    const dir = folder()
    const source = join(dir, 'source')
    makeFiles(source, { files: 20, bytes: 20_000 })
    const unreadable = makeUnreadableFiles(source)
    const repository = resticRepository({ restic: restic.path, url: join(dir, 'repo'), password: 'p' })
    await repository.init()
    const backup = await repository.run('backup', '--json', '--', source, unreadablePath)
    expect(backup.exitCode).toBe(3)
    const items = backup.stderr
      .split('\n')
      .filter(line => line.includes('"archival"'))
      .map(line => (JSON.parse(line) as { item: string }).item)
    expect(items).toEqual(expect.arrayContaining([unreadable, unreadablePath]))
    await repository.restore('latest', join(dir, 'back'))
    const saved = Object.entries(readTree(source)).filter(([name]) => !/forbidden|out of reach/.test(name))
    const { 'forbidden.txt': _, ...restored } = readTree(join(dir, 'back', source))
    expect(restored).toEqual(Object.fromEntries(saved))
  })

  test.runIf(process.platform === 'linux')(
    'a file of mode 000 is unreadable for a restic without rights of root',
    async () => {
      const dir = folder()
      const forbidden = join(dir, 'forbidden.txt')
      writeFileSync(forbidden, 'x', { mode: 0o000 })
      const path = launchWithoutRootReading(join(dir, 'bin'), restic.path)
      const repository = resticRepository({ restic: path, url: join(dir, 'repo'), password: 'p' })
      await repository.init()
      const backup = await repository.run('backup', '--json', '--', forbidden)
      expect(backup.exitCode).toBe(3)
      expect(backup.stderr).toContain('"item":"' + forbidden)
    },
  )
})
