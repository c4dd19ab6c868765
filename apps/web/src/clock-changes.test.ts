// Promises of what is said beside a run when clocks change.
import { expect, test } from 'vitest'
import { clockNote, offsetMinutes } from './clock-changes.ts'

const berlin = 'Europe/Berlin'

test('a zone is so far ahead of UTC', () => {
  const summer = new Date('2026-07-01T12:00:00Z')
  expect(
    ['UTC', berlin, 'America/St_Johns', 'Asia/Kathmandu', 'Not/AZone'].map(zone =>
      offsetMinutes(summer, zone),
    ),
  ).toEqual([0, 120, -150, 345, undefined])
})

test('a day of changing clocks is named, and the run after it says that UTC moved', () => {
  const [saturday, sunday, monday] = [
    '2026-10-24T00:30:00Z',
    '2026-10-25T00:30:00Z',
    '2026-10-26T01:30:00Z',
  ].map(at => ({ at: new Date(at), shifted: at.includes('-25T') }))
  if (saturday === undefined || sunday === undefined || monday === undefined) throw new Error('unreachable')
  expect(clockNote(saturday, undefined, berlin)).toBeUndefined()
  expect(clockNote(sunday, saturday, berlin)).toEqual({ dst: true, words: 'clocks go back' })
  expect(clockNote(monday, sunday, berlin)).toEqual({ dst: false, words: 'UTC moves by 1 h' })
  expect(clockNote({ at: new Date('2026-03-29T01:30:00Z'), shifted: true }, undefined, berlin)).toEqual({
    dst: true,
    words: 'clocks go forward',
  })
})
