// Promises of the words and rhythms of a timetable.
import { nextSlots } from '@restic-manager/contract/cron'
import { describe, expect, test } from 'vitest'
import { cronOf, nightTime, type Rhythm, rhythmOf, timeOf, timetableInWords } from './timetable.ts'

const rhythms: Rhythm[] = [
  { every: 'hour', minute: 20 },
  { every: 'hours', hours: 6, minute: 5 },
  { every: 'day', hour: 2, minute: 30 },
  { every: 'workday', hour: 19, minute: 0 },
  { every: 'week', day: 0, hour: 5, minute: 0 },
  { every: 'month', date: 1, hour: 4, minute: 45 },
]

describe('rhythms', () => {
  test('come back from their own expression', () => {
    for (const rhythm of rhythms) expect(rhythmOf(cronOf(rhythm))).toEqual(rhythm)
  })
  test('are expressions that both ends can count by', () => {
    for (const rhythm of rhythms)
      expect(nextSlots({ cron: cronOf(rhythm), timeZone: 'UTC' }, new Date(), 2)).toHaveLength(2)
  })
  test('know both Sundays as one', () => {
    expect(rhythmOf('0 5 * * 7')).toEqual({ every: 'week', day: 0, hour: 5, minute: 0 })
  })
  test('leave alone what they would not give back', () => {
    for (const cron of [
      '30 2 31 * *',
      '30 2 * 6 *',
      '30 2 1 * 1',
      '*/15 * * * *',
      '0 */5 * * *',
      '60 2 * * *',
      '',
    ])
      expect(rhythmOf(cron)).toBeUndefined()
  })
})

test('an expression is told in words, and as it is where there are none', () => {
  expect([...rhythms.map(cronOf), '* * * * *', '*/15 * * * *', '30 2 31 * *'].map(timetableInWords)).toEqual([
    'every hour at :20',
    'every 6 hours at :05',
    'every day at 02:30',
    'Monday to Friday at 19:00',
    'every Sunday at 05:00',
    'on day 1 of every month at 04:45',
    'every minute',
    'every 15 minutes',
    'at the times of 30 2 31 * *',
  ])
})

test('a time of day is read as people type it', () => {
  expect(['02:30', '2.30', ' 0230 ', '23:59', '24:00', '2:7', '', 'noon'].map(timeOf)).toEqual([
    { hour: 2, minute: 30 },
    { hour: 2, minute: 30 },
    { hour: 2, minute: 30 },
    { hour: 23, minute: 59 },
    undefined,
    undefined,
    undefined,
    undefined,
  ])
})

test('a host always gets the same night hour, and a fleet does not get one hour', () => {
  const ids = Array.from(
    { length: 200 },
    (_, index) => `019385a0-0000-7000-8000-${String(index).padStart(12, '0')}`,
  )
  const times = ids.map(id => JSON.stringify(nightTime(id)))
  expect(ids.map(id => JSON.stringify(nightTime(id)))).toEqual(times)
  expect(new Set(times).size).toBeGreaterThan(20)
  expect(ids.map(nightTime).every(({ hour }) => hour < 5 && hour !== 2)).toBe(true)
})
