// Which restic is found, and what each version is trusted with.
import { fakeRestic } from '@restic-manager/testkit/fake-restic'
import { eachRestic } from '@restic-manager/testkit/restic'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { capabilitiesOf, findRestic, probeRestic } from './version.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'version-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

await eachRestic(({ version, path }) => {
  test('it tells its version', async () => {
    expect(await probeRestic(path)).toEqual({ path, version })
  })
})

test('the first restic on the search path that runs is taken', async () => {
  const broken = join(folder, 'restic')
  writeFileSync(broken, '#!/bin/sh\nexit 1\n')
  chmodSync(broken, 0o755)
  const good = fakeRestic(join(folder, 'good'), { version: '0.17.3' })
  const search = ['relative', join(folder, 'absent'), folder, good.folder].join(':')
  expect(await findRestic(undefined, search)).toEqual({ path: good.path, version: '0.17.3' })
})

test('a wished-for restic is taken or none', async () => {
  const good = fakeRestic(join(folder, 'wished'))
  expect(await findRestic(good.path, '')).toEqual({ path: good.path, version: '0.18.0' })
  expect(await findRestic(join(folder, 'absent'), good.folder)).toBeNull()
  expect(await findRestic(process.execPath, good.folder)).toBeNull()
})

test.each([
  [
    '0.14.0',
    { retryLock: false, sftpArgs: false, restCredentials: false, readConcurrency: false, fullIds: false },
  ],
  [
    '0.16.0',
    { retryLock: true, sftpArgs: true, restCredentials: false, readConcurrency: true, fullIds: true },
  ],
  [
    '0.16.1',
    { retryLock: true, sftpArgs: true, restCredentials: true, readConcurrency: true, fullIds: true },
  ],
  [
    '0.18.0-dev',
    { retryLock: true, sftpArgs: true, restCredentials: true, readConcurrency: true, fullIds: true },
  ],
  ['1.0.0', { retryLock: true, sftpArgs: true, restCredentials: true, readConcurrency: true, fullIds: true }],
])('restic %s is trusted with what it can do', (version, capabilities) => {
  expect(capabilitiesOf(version)).toEqual(capabilities)
})

test('a restic that says no end of things about its version is known by the beginning of it', async () => {
  const odd = join(folder, 'odd')
  writeFileSync(odd, `#!/bin/sh\necho "restic 0.18.0-${'x'.repeat(500)} compiled"\n`)
  chmodSync(odd, 0o755)
  expect((await probeRestic(odd))?.version.length).toBeLessThan(100)
})
