// The columns of the fleet's strip.
import { expect, test } from 'vitest'
import { columnOf, stripInWords } from './fleet-strip.ts'

const day = (more: object) => ({
  day: '2026-10-20',
  succeeded: 0,
  incomplete: 0,
  failed: 0,
  lost: 0,
  missed: 0,
  skipped: 0,
  ...more,
})

test('one failed backup among five thousand is still seen, and no column leaves its room', () => {
  const parts = columnOf(day({ succeeded: 4_997, incomplete: 1, failed: 1, missed: 1 }), 5_000, 110)
  expect(parts.map(({ look }) => look)).toEqual(['good', 'warn', 'missed', 'bad'])
  for (const { look, height } of parts) expect(height).toBeGreaterThanOrEqual(look === 'good' ? 1 : 7)
  expect(parts.at(-1)?.y).toBeGreaterThanOrEqual(0)
})

test('a day without a backup has no column', () => {
  expect(columnOf(day({ skipped: 3 }), 10, 110)).toEqual([])
})

test('a lost backup counts as failed', () => {
  expect(stripInWords([day({ succeeded: 12, failed: 1, lost: 1 }), day({ succeeded: 1 })])).toBe(
    '2 days: 13 succeeded, 2 failed',
  )
})
