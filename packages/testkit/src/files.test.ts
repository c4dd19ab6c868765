// The trees that tests back up: the same every time, awkward, and unreadable where they say so.
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { makeFiles, readTree } from './files.ts'
import { makeLightRepository } from './light-repository.ts'
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
  test('awkward names come back byte by byte, and nobody, root included, can read what is unreadable', async () => {
    const dir = folder()
    const source = join(dir, 'source')
    makeFiles(source, { files: 40, bytes: 400_000 })
    const unreadable = makeUnreadableFiles(source)
    const repository = resticRepository({ restic: restic.path, url: join(dir, 'repo'), password: 'p' })
    makeLightRepository(repository.url, repository.password)
    const backup = await repository.run('backup', '--json', '--', source, unreadablePath)
    expect(backup.exitCode).toBe(3)
    expect(itemsIn(backup.stderr)).toEqual(expect.arrayContaining([unreadable, unreadablePath]))

    await repository.restore('latest', join(dir, 'back'))
    const saved = Object.entries(readTree(source)).filter(([name]) => !/forbidden|out of reach/.test(name))
    const { 'forbidden.txt': _, ...restored } = readTree(join(dir, 'back', source))
    expect(restored).toEqual(Object.fromEntries(saved))

    const path = launchWithoutRootReading(join(dir, 'bin'), restic.path)
    const lesser = resticRepository({ restic: path, url: repository.url, password: 'p' })
    const forbidden = join(source, 'forbidden.txt')
    expect(itemsIn((await lesser.run('backup', '--json', '--', forbidden)).stderr)).toEqual([forbidden])
  })
})

/** What restic says it could not save. */
function itemsIn(stderr: string): string[] {
  const lines = stderr.split('\n').filter(line => line.includes('"archival"'))
  return lines.map(line => (JSON.parse(line) as { item: string }).item)
}
