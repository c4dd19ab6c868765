// What keys mean to the page.
import { expect, test } from 'vitest'
import { meaningOf } from './shortcuts.ts'

const none = { ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, timeStamp: 1_000 }
const on = { wentAt: -Infinity, single: true }
const off = { ...on, single: false }

test('Ctrl+K and its like on a Mac find, wherever the focus is', () => {
  expect(meaningOf({ ...none, key: 'k', ctrlKey: true }, off)).toBe('find')
  expect(meaningOf({ ...none, key: 'K', metaKey: true }, off)).toBe('find')
  expect(meaningOf({ ...none, key: 'k', ctrlKey: true, shiftKey: true }, on)).toBeUndefined()
  expect(meaningOf({ ...none, key: 'k' }, on)).toBeUndefined()
})

test('single keys mean something only while they are on', () => {
  for (const [key, meaning] of [
    ['/', 'find'],
    ['?', 'help'],
    ['g', 'go'],
  ] as const) {
    expect(meaningOf({ ...none, key }, on)).toBe(meaning)
    expect(meaningOf({ ...none, key }, off)).toBeUndefined()
  }
})

test('a letter leads somewhere only soon after G', () => {
  const after = (wentAt: number) => meaningOf({ ...none, key: 'h' }, { wentAt, single: true })
  expect(after(500)).toEqual({ href: '/hosts' })
  expect(after(-1_000)).toBeUndefined()
  expect(meaningOf({ ...none, key: 'x' }, { wentAt: 900, single: true })).toBeUndefined()
})
