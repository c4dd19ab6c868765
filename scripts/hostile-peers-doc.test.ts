// The page of security names a test for each thing a hostile peer may do, and each of them is there.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { missingTests, namedTests } from './named-tests.ts'

const page = readFileSync(join(import.meta.dirname, '../docs/security.md'), 'utf8')

test.each(['What a hostile peer may try', 'Incidents elsewhere, and why they do not happen here'])(
  'each row of "%s" names tests that are there, by their titles',
  heading => {
    const rows = namedTests(page, heading)
    expect(rows.length).toBeGreaterThan(6)
    expect(missingTests(rows)).toEqual([])
  },
)

test('a test that is named and not there is found out', () => {
  const table =
    '## T\n| what | shown by |\n|---|---|\n| x | `agent/src/link`: no such title … · `agent/src/absent` |\n'
  expect(missingTests(namedTests(table, 'T'))).toEqual([
    'agent/src/link: no such title …',
    'agent/src/absent',
  ])
  expect(() => namedTests(table, 'U')).toThrow('no heading')
})
