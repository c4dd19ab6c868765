// What a shorter time for logs would remove is said before it is saved, and is what the server then removes.
import { expect, test } from 'vitest'
import { logsThatGo, logsThere } from './log-retention.ts'

const now = Date.parse('2026-11-23T22:00:00Z')
const sizes = [
  { day: '2026-10-23', bytes: 1 },
  { day: '2026-10-24', bytes: 10 },
  { day: '2026-11-22', bytes: 100 },
  { day: '2026-11-23', bytes: 1_000 },
  { day: '2026-11-24', bytes: 10_000 },
]

test('days made ahead of time are not counted among the logs there are', () => {
  expect(logsThere(sizes, now)).toEqual({ days: 4, bytes: 1_111, first: '2026-10-23' })
  expect(logsThere([], now)).toEqual({ days: 0, bytes: 0, first: undefined })
})

test('only whole days that are older than the time to keep go', () => {
  expect(logsThatGo(sizes, 31, now)).toMatchObject({ days: 0 })
  expect(logsThatGo(sizes, 30, now)).toEqual({ days: 1, bytes: 1, first: '2026-10-23' })
  expect(logsThatGo(sizes, 1, now)).toMatchObject({ days: 2, bytes: 11 })
})
