// Promises of the words the page shows.
import { describe, expect, test } from 'vitest'
import {
  countOf,
  dayKey,
  formatAge,
  formatAgo,
  formatBytes,
  formatBytesOf,
  formatDay,
  formatDuration,
  formatExact,
  formatLeft,
  formatPercent,
  formatRate,
  formatWhen,
  inertText,
} from './format.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

describe('sizes', () => {
  test('have three digits at most and never a wrong unit', () => {
    expect(
      [0, 999, 1000, 1024, 41 * 1024 ** 2, 13.94 * 1024 ** 3, 3.96 * 1024 ** 4].map(formatBytes),
    ).toEqual(['0 B', '999 B', '0.98 KiB', '1 KiB', '41 MiB', '13.9 GiB', '3.96 TiB'])
  })
  test('done of total share one unit', () => {
    expect(formatBytesOf(148.2 * 1024 ** 3, 238.6 * 1024 ** 3)).toBe('148.2 of 238.6 GiB')
    expect(formatBytesOf(512, 800)).toBe('512 of 800 B')
  })
  test('rates are round', () =>
    expect([0, 66.4 * 1024 ** 2, 1.25 * 1024 ** 2].map(formatRate)).toEqual([
      '0 B/s',
      '66 MiB/s',
      '1.3 MiB/s',
    ]))
})

test('a share never says 100 per cent before the end', () => {
  expect([0, 0.29, 0.62, 0.999, 1].map(formatPercent)).toEqual(['0 %', '29 %', '62 %', '99 %', '99 %'])
})

test('durations go from tenths to days', () => {
  expect(
    [0, 400, 41_000, 59_700, 18 * MINUTE + 4_000, 7 * HOUR + 6 * MINUTE, 50 * HOUR].map(formatDuration),
  ).toEqual(['0 s', '0.4 s', '41 s', '1 m 00 s', '18 m 04 s', '7 h 06 m', '2 d 2 h'])
})

test('ages are minutes below a day, hours to two days, then days', () => {
  expect(
    [30_000, 5 * MINUTE, 7 * HOUR + 6 * MINUTE, 33 * HOUR, 50 * HOUR, 400 * HOUR].map(formatAge),
  ).toEqual(['< 1 m', '5 m', '7 h 06 m', '33 h', '2 d 2 h', '16 d'])
  expect([-5, 20_000, 5 * MINUTE].map(formatAgo)).toEqual(['just now', '20 s ago', '5 min ago'])
})

test('time left is rounded as a guess should be', () => {
  expect([0, 45, 23 * 60, 190 * 60, 120 * 60].map(formatLeft)).toEqual([
    '1 s',
    '45 s',
    '23 min',
    '3 h 10 min',
    '2 h',
  ])
})

describe('instants', () => {
  const at = Date.parse('2026-11-22T23:30:00.000Z')
  const now = Date.parse('2026-11-23T10:00:00.000Z')
  test('fall on the day of the zone that is asked for', () => {
    expect(dayKey(at, 'UTC')).toBe('2026-11-22')
    expect(dayKey(at, 'Europe/Berlin')).toBe('2026-11-23')
    expect(formatDay(at, now, 'UTC')).toBe('yesterday')
    expect(formatWhen(at, now, 'Europe/Berlin')).toBe('today 00:30')
  })
  test('older ones name the day, and the year only when it is another one', () => {
    expect(formatDay(Date.parse('2026-10-22T12:00:00Z'), now, 'UTC')).toBe('Thu 22 Oct')
    expect(formatDay(Date.parse('2025-10-22T12:00:00Z'), now, 'UTC')).toBe('Wed 22 Oct 2025')
  })
  test('in full they carry the zone', () => expect(formatExact(at, 'UTC')).toContain('23:30:00 UTC'))
})

test('text from a host cannot colour, move or reorder anything', () => {
  expect(
    inertText('\u001B[31mred\u001B[0m\u001B]8;;http://evil\u0007link\u001B]8;;\u0007 \u202Egpj.exe\r\u0000'),
  ).toBe('redlink gpj.exe')
})

test('a noun follows its count', () =>
  expect([countOf(1, 'file'), countOf(2_000, 'file')]).toEqual(['1 file', '2,000 files']))
