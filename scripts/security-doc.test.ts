// What docs/security.md says is shown by a test is: each test it names is there, and has a test of that title.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const page = readFileSync(join(root, 'docs/security.md'), 'utf8')

/** The rows of a table of the page, its head left out, each as its cells. */
function rowsBelow(heading: string): string[][] {
  const [, section = ''] = page.split(`## ${heading}`)
  const lines = section.split('\n## ')[0]?.split('\n') ?? []
  const rows = lines.filter(line => line.startsWith('| ') || line.startsWith('|-'))
  return rows.slice(2).map(row =>
    row
      .split('|')
      .slice(1, -1)
      .map(cell => cell.trim()),
  )
}

/** What a cell names: a test file of an app or of scripts, and the words of a title in it, if any. */
const namedIn = (cell: string) =>
  cell.split(' · ').map(named => {
    const [, path = named, title] = /^`([\w/-]+)`(?:: (.+))?$/.exec(named) ?? []
    return { file: join(root, path.startsWith('scripts/') ? '' : 'apps', `${path}.test.ts`), title }
  })

const rows = rowsBelow('On the host')

test('every rule that the agent keeps names a test, and each of these tests is there under its title', () => {
  const named = rows.flatMap(([, cell = '']) => namedIn(cell))
  const missing = named.filter(
    ({ file, title }) =>
      !existsSync(file) || (title !== undefined && !readFileSync(file, 'utf8').includes(title)),
  )
  expect(missing).toEqual([])
  expect(rows.filter(([rule, cell]) => !rule || !cell?.startsWith('`'))).toEqual([])
})

test('no rule of the host is without a row', () => {
  const rules = rows.map(([rule]) => rule).join('\n')
  for (const word of ['shell', 'arguments', 'environment', '0600', 'masked', 'TLS', 'parsed', 'root'])
    expect(rules, word).toContain(word)
  expect(rows.length).toBeGreaterThanOrEqual(13)
})
