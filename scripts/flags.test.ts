// Promises of every script of package.json to whoever asks it for help, or mistypes a flag.
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { isLongRun } from '@restic-manager/testkit/restic'
import { expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '..')
const { scripts } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
}
/** They load the server, or half of it, before they read their flags: some seconds of a processor each. */
const slow = new Set(['admin', 'api-reference', 'bench', 'fleet-sim', 'fuzz', 'seed'])

/** Arguments of tests are vitest's. */
const ours = Object.entries(scripts).flatMap(([name, command]) => {
  const file = /^node (\S+\.ts)$/.exec(command)?.[1]
  const isLeftOut = name === 'test' || (slow.has(name) && !isLongRun)
  return file === undefined || isLeftOut ? [] : [[name, file] as const]
})

/** How a program ends, and what it said. */
const run = (file: string, flag: string) =>
  new Promise<{ code: unknown; out: string; error: string }>(resolve => {
    execFile(process.execPath, [path.join(root, file), flag], (failure, out, error) =>
      resolve({ code: failure?.code ?? 0, out, error }),
    )
  })

test.each(ours)(
  'npm run %s says what there is, and does nothing for a flag it does not know',
  async (_, file) => {
    const [help, mistyped] = await Promise.all([run(file, '--help'), run(file, '--no-such-flag')])
    expect(help).toMatchObject({ code: 0, error: '' })
    expect(help.out).toContain('Usage: ')
    expect(mistyped).toMatchObject({ code: 2, out: '' })
    expect(mistyped.error).toMatch(/--no-such-flag/)
    expect(mistyped.error).not.toMatch(/^ {4}at /m)
  },
)
