// Versions are told apart by their numbers, not by their letters.
import { expect, test } from 'vitest'
import { isOlderVersion } from './version.ts'

test.each([
  ['0.1.0', '0.2.0', true],
  ['0.9.0', '0.10.0', true],
  ['1.0.0', '0.99.99', false],
  ['1.2.3', '1.2.3', false],
  ['1.2.3-beta.1', '1.2.3', true],
  ['1.2.3', '1.2.3-beta.1', false],
  ['v1.2.2', '1.2.3', true],
  ['development', '1.2.3', false],
  [null, '1.2.3', false],
])('whether %s is older than %s: %s', (version, other, older) => {
  expect(isOlderVersion(version, other)).toBe(older)
})
