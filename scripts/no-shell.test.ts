// Nothing that we compose goes through a shell: no program of ours starts one, but for the scripts that a host's own policy allows.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const sources = globSync(['apps/{server,agent}/src/**/*.ts', 'packages/{runtime,contract}/src/**/*.ts'], {
  cwd: root,
})
  .filter(file => !/\.test\.ts$|\/testing[^/]*\.ts$|\/e2e\//.test(file))
  .map(file => [file, readFileSync(join(root, file), 'utf8')] as const)

/** What starts a shell, or hands it a text. */
const shells =
  /\bshell:(?!\s*(?:undefined|false))|\bexecSync\b|execaCommand|(?:^|[\s(=])\$`|['"](?:\/bin\/)?(?:ba|da|z)?sh['"]|cmd\.exe|powershell/i
/** Runs the text of a hook where the policy file on the host says `inline`. */
const allowed = new Set(['apps/agent/src/hooks.ts'])

test('no shell is started anywhere but for hooks whose text the policy of the host allows', () => {
  expect(sources.length).toBeGreaterThan(100)
  const lines = sources.flatMap(([file, text]) =>
    allowed.has(file)
      ? []
      : text
          .split('\n')
          .filter(line => shells.test(line) && !/^\s*(?:\/\/|\*|\/\*\*)/.test(line))
          .map(line => `${file}: ${line.trim()}`),
  )
  expect(lines).toEqual([])
})

test('this would find a shell', () => {
  for (const line of [
    'spawn(x, { shell: true })',
    'execSync(`rm ${x}`)',
    "execa('sh', ['-c', text])",
    '$`ls`',
  ])
    expect(shells.test(line), line).toBe(true)
  expect(shells.test('spawn(x, { shell: false })')).toBe(false)
})
