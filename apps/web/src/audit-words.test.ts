// A change in words promises to say what was and what is, and to show no more of a secret than that there is one.
import { expect, test } from 'vitest'
import { changeInALine, changesOf } from './audit-words.ts'

test('a small change stands in one line, with what was before', () => {
  expect(changeInALine({ before: { name: 'web-1' }, after: { name: 'web-2' } })).toBe('name: web-1 → web-2')
  expect(changeInALine({ before: { tags: ['a', 'b'] }, after: { tags: [] } })).toBe('tags: a, b → none')
  expect(changeInALine({ before: null, after: { by: 'password' } })).toBe('by: password')
  expect(changeInALine({ before: { name: 'gone' }, after: null })).toBe('name: was gone')
})

test('a large change names its fields', () => {
  expect(changeInALine({ before: null, after: { a: 1, b: { c: 2 }, d: null } })).toBe('a, b, d')
})

test('a secret is a row of dots', () => {
  expect(changesOf({ before: {}, after: { password: '[redacted]' } })).toEqual([
    { field: 'password', before: undefined, after: '••••••••' },
  ])
})
