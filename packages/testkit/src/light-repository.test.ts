// A light repository is one like every other to real restic.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { lightenRepository, makeLightRepository } from './light-repository.ts'
import { resticRepository } from './restic-repository.ts'
import { eachRestic } from './restic.ts'

function folder() {
  const dir = mkdtempSync(join(tmpdir(), 'light-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  return dir
}

await eachRestic(restic => {
  test('one that was made here is backed up to, restored from, and found whole', async () => {
    const url = join(folder(), 'r')
    const id = makeLightRepository(url, 'pässword')
    const repository = resticRepository({ restic: restic.path, url, password: 'pässword' })
    expect(await repository.id()).toBe(id)
    await repository.backup([import.meta.filename])
    expect(await repository.snapshots()).toHaveLength(1)
    expect(await repository.locks()).toEqual([])
    await repository.check()
    const stranger = resticRepository({ restic: restic.path, url, password: 'another' })
    await expect(stranger.id()).rejects.toThrow('wrong password')
  })

  test('one that restic made keeps its id and its password when it is made light', async () => {
    const url = join(folder(), 'r')
    const repository = resticRepository({ restic: restic.path, url, password: 'a password' })
    expect(await repository.run('init')).toMatchObject({ exitCode: 0 })
    const id = await repository.id()
    expect(() => lightenRepository(url, 'another')).toThrow('does not open')
    lightenRepository(url, 'a password')
    expect(await repository.id()).toBe(id)
    await repository.backup([import.meta.filename])
    await repository.check()
  })
})
