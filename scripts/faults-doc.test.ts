// The table of faults and the tests that show them agree: each row has a test that bears its id, and is in docs/faults.md.
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { missingTests, namedTests } from './named-tests.ts'

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

test('the page of faults says of each row by which tests it is shown, and each of those is there', () => {
  expect(rows.filter(row => !new RegExp(`^\\| ${row} \\|`, 'm').test(page))).toEqual([])
  const told = namedTests(page, 'The rows')
  expect(told.length).toBeGreaterThan(rows.length)
  expect(missingTests(told)).toEqual([])
})
