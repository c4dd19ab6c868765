// The matrix of real restics, a plain repository on each, and a REST server in front of one.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { makeLightRepository } from './light-repository.ts'
import { restServer } from './rest-server.ts'
import { resticRepository } from './restic-repository.ts'
import { eachRestic, findTool } from './restic.ts'

function folder() {
  const dir = mkdtempSync(join(tmpdir(), 'restic-'))
  onTestFinished(() => rmSync(dir, { recursive: true }))
  return dir
}

const server = await findTool('rest-server')

await eachRestic(restic => {
  test('a plain repository gives back what was backed up', async () => {
    const dir = folder()
    const file = join(dir, 'file')
    writeFileSync(file, 'hello')
    const repository = resticRepository({ restic: restic.path, url: join(dir, 'repo'), password: 'p' })
    const id = await repository.init()
    expect(id).toMatch(/^[0-9a-f]{64}$/)
    const snapshot = await repository.backup([file], '--tag', 'one')
    expect(await repository.snapshots()).toEqual([snapshot])
    expect(snapshot).toMatchObject({ paths: [file], tags: ['one'] })
    await repository.restore(snapshot.id, join(dir, 'back'))
    expect(readFileSync(join(dir, 'back', file), 'utf8')).toBe('hello')
    expect(await repository.locks()).toEqual([])
    await repository.check()
  })

  test('the matrix names the version that runs', async () => {
    const { run } = resticRepository({ restic: restic.path, url: 'unused', password: 'unused' })
    expect((await run('version')).stdout).toMatch(new RegExp(`^restic ${restic.version} `))
  })

  test('what restic cannot do is said in its own words', async () => {
    const repository = resticRepository({
      restic: restic.path,
      url: join(folder(), 'nowhere'),
      password: 'p',
    })
    await expect(repository.id()).rejects.toThrow('unable to open config file')
  })

  test.skipIf('missing' in server)('a REST server lets in its user alone', async () => {
    if ('missing' in server) return
    await using rest = await restServer({
      ...server,
      user: { name: 'agent1', password: 'a/b%c' },
      appendOnly: true,
    })
    const own = resticRepository({ restic: restic.path, url: rest.url('r1'), password: 'p' })
    makeLightRepository(join(rest.dir, 'r1'), own.password)
    await own.backup([import.meta.filename])
    expect(await own.snapshots()).toHaveLength(1)
    const stranger = resticRepository({
      restic: restic.path,
      url: rest.url('r1', { credentials: false }),
      password: 'p',
    })
    expect((await stranger.run('cat', 'config')).stderr).toContain('401')
  })
})
