// The preview of a timetable: the slots hosts count, as a wall clock shows them, with the days on which clocks change.
import { expect, test } from 'vitest'
import { nextSlots } from '@restic-manager/contract/cron'
import { previewSlots } from './schedule-preview.ts'

const previewFrom = (at: string, cron: string, timeZone: string, count = 4) =>
  previewSlots({ cron, timeZone, count }, new Date(at)).runs

test('shows the slots hosts count', () => {
  const timetable = { cron: '*/20 3-5 * * 1-5', timeZone: 'America/New_York' }
  const from = '2026-03-06T00:00:00Z'
  expect(previewFrom(from, timetable.cron, timetable.timeZone, 50).map(({ at }) => at)).toEqual(
    nextSlots(timetable, new Date(from), 50),
  )
})

test('marks the day in spring, on which a time that does not exist runs at the end of the gap', () => {
  const runs = previewFrom('2026-03-27T12:00:00Z', '30 2 * * *', 'Europe/Berlin')
  expect(runs.map(({ local, shifted }) => [local, shifted])).toEqual([
    ['2026-03-28 02:30 +01:00', false],
    ['2026-03-29 03:00 +02:00', true],
    ['2026-03-30 02:30 +02:00', false],
    ['2026-03-31 02:30 +02:00', false],
  ])
})

test('marks the day in autumn, and every run on it', () => {
  const runs = previewFrom('2026-10-24T12:00:00Z', '0 4,12 * * *', 'Europe/Berlin')
  expect(runs.map(({ local, shifted }) => [local, shifted])).toEqual([
    ['2026-10-25 04:00 +01:00', true],
    ['2026-10-25 12:00 +01:00', true],
    ['2026-10-26 04:00 +01:00', false],
    ['2026-10-26 12:00 +01:00', false],
  ])
})

test('marks a run whose offset is another than that of the run before, also weeks later', () => {
  const runs = previewFrom('2026-03-15T00:00:00Z', '0 3 1 * *', 'Europe/Berlin', 3)
  expect(runs.map(({ shifted }) => shifted)).toEqual([true, false, false])
})

test('a zone without daylight saving is never marked', () => {
  const runs = previewFrom('2026-03-27T12:00:00Z', '15 0 * * *', 'Asia/Kolkata', 50)
  expect(runs.every(({ shifted }) => !shifted)).toBe(true)
  expect(runs[0]?.local).toBe('2026-03-28 00:15 +05:30')
})

test('what cannot be counted is refused with the field it is in', () => {
  expect(() => previewFrom('2026-01-01T00:00:00Z', '61 * * * *', 'UTC')).toThrow(
    expect.objectContaining({
      code: 'schedule_invalid',
      complaints: [expect.objectContaining({ code: 'invalid_cron', field: 'cron' })],
    }),
  )
  expect(() => previewFrom('2026-01-01T00:00:00Z', '0 * * * *', 'Mars/Olympus')).toThrow(
    expect.objectContaining({ complaints: [expect.objectContaining({ field: 'timeZone' })] }),
  )
})
