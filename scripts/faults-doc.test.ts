// The table of faults and the tests that show them agree: each row has a test that bears its id, and is in docs/faults.md.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const rows = Array.from({ length: 43 }, (_, index) => index + 1)
const tests = globSync(['apps/*/src/**/*.test.{ts,tsx}', 'packages/*/src/**/*.test.ts'], { cwd: root })
const named = new Set(
  tests.flatMap(file =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/\(row (\d+)\)/g)].map(([, row]) => Number(row)),
  ),
)
const page = readFileSync(join(root, 'docs/faults.md'), 'utf8')

test('each of the faults 1 to 43 has a test whose title bears its row', () => {
  expect(rows.filter(row => !named.has(row))).toEqual([])
})

test('the page of faults says of each row by which tests it is shown, and each of those files is there', () => {
  expect(rows.filter(row => !new RegExp(`^\\| ${row} \\|`, 'm').test(page))).toEqual([])
  const folders: Record<string, string> = {
    e2e: 'apps/web/src/e2e',
    contract: 'packages/contract',
    chaos: 'packages/chaos',
  }
  const told = [...page.matchAll(/`((?:e2e|server|agent|contract|chaos)\/[\w/-]+)`/g)].map(
    ([, path = '']) => path,
  )
  const there = ([area = '', ...rest]: string[]) =>
    existsSync(join(root, folders[area] ?? `apps/${area}`, ...rest) + '.test.ts')
  expect(told.length).toBeGreaterThan(rows.length)
  expect(told.filter(path => !there(path.split('/')))).toEqual([])
})
