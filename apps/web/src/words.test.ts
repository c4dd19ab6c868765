// What is said of a job's end, once.
import { expect, test } from 'vitest'
import { saidBeyond } from './words.ts'

test('what already stands in the title is not said again', () => {
  const title = 'The repository password is wrong.'
  expect(saidBeyond(`${title} restic said: no key found`, title)).toBe('restic said: no key found')
  expect(saidBeyond(title, title)).toBeUndefined()
  expect(saidBeyond('Something else.', title)).toBe('Something else.')
  expect(saidBeyond(null, title)).toBeUndefined()
})
