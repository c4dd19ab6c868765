// The closing line of a run, seen on runs of vitest itself over small files made for it.
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeEnvironment } from '@restic-manager/testkit/node-environment'

const root = join(import.meta.dirname, '..')

const files = {
  'mixed.test.ts': `import { expect, test } from 'vitest'
test('one', () => expect(1).toBe(1))
test('two', () => expect(1).toBe(2))
test.skip('three', () => {})`,
  'good.test.ts': `import { expect, test } from 'vitest'
test('one', () => expect(1).toBe(1))
test('two', () => expect(2).toBe(2))`,
  'broken.test.ts': `import './nowhere.ts'`,
  'uncaught.test.ts': `import { test } from 'vitest'
test('one', async () => { setTimeout(() => { throw new Error('late') }); await new Promise(setImmediate) })
test('two', () => new Promise(resolve => setTimeout(resolve, 20)))`,
}

describe('the last line of a test run', () => {
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(root, 'node_modules', '.closing-line-'))
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
    await writeFile(
      join(folder, 'vitest.config.ts'),
      `export default { test: { reporters: ['default', ${JSON.stringify(join(root, 'scripts/closing-line.ts'))}] } }`,
    )
  })

  afterAll(() => rm(folder, { recursive: true, force: true }))

  test.each([
    ['good.test.ts', '2 passed, 0 failed', 0],
    ['mixed.test.ts', '1 passed, 1 failed, 1 skipped', 1],
    ['broken.test.ts', '0 passed, 1 failed', 1],
    ['uncaught.test.ts', '2 passed, 1 failed', 1],
  ])('of %s is `%s`', async (name, line, exitCode) => {
    const run = await runVitest(name)
    expect(run).toEqual({ line, exitCode })
  })

  /** The last line that is not empty. */
  function runVitest(name: string) {
    return new Promise<{ line: string | undefined; exitCode: number }>(resolve => {
      const args = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', folder, name]
      const child = execFile(
        process.execPath,
        args,
        { cwd: folder, env: nodeEnvironment },
        (_error, stdout) => {
          resolve({ line: stdout.trimEnd().split('\n').at(-1), exitCode: child.exitCode ?? -1 })
        },
      )
    })
  }
})
