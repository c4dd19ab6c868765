// Marks of days.
import { expect, test } from 'vitest'
import { daysInWords, markOf } from './day-mark.ts'

const none = { day: '2026-11-10', succeeded: 0, incomplete: 0, failed: 0, lost: 0, missed: 0, skipped: 0 }

test.each([
  [{ succeeded: 23, failed: 1 }, 'bad'],
  [{ succeeded: 23, lost: 1, incomplete: 2 }, 'lost'],
  [{ succeeded: 1, incomplete: 1, missed: 4 }, 'warn'],
  [{ succeeded: 1, missed: 1 }, 'missed'],
  [{ succeeded: 1, skipped: 9 }, 'good'],
  [{ skipped: 1 }, 'skipped'],
  [{}, 'none'],
])('a day shows the worst of it: %o is %s', (more, mark) => {
  expect(markOf({ ...none, ...more })).toBe(mark)
})

test('the strip says in words how many days went how', () => {
  expect(daysInWords([{ ...none, succeeded: 2 }, { ...none, failed: 1 }, none])).toBe(
    '3 days: 1 succeeded, 1 failed, 1 without a slot',
  )
})
