import { describe, expect, test } from 'vitest'
import { checkBlock, decodeBlock, encodeGap, encodeLine } from './log.ts'

const startedAt = '2026-11-23T07:00:00.000Z'
const start = Date.parse(startedAt)

describe('a log block', () => {
  test('gives back every payload as it was, tabs, newlines and backslashes included', () => {
    const payloads = ['plain', 'a\tb', 'a\nb', 'C:\\new\\table', '\\', '\\\\n', '', 'ünïcode ☃ 💾']
    const block = payloads.map((payload, index) => encodeLine(index * 10, 'stderr', payload)).join('')
    const entries = decodeBlock({ firstSeq: 7, count: payloads.length, startedAt, block })
    expect(entries).toEqual(
      payloads.map((payload, index) => ({
        seq: 7 + index,
        ts: start + index * 10,
        stream: 'stderr',
        payload,
      })),
    )
  })

  test('numbers the line after a gap by what the gap covers', () => {
    const gap = { count: 1_000, bytes: 52_000, reason: 'the log budget of this host was used up' }
    const block = encodeLine(0, 'stdout', 'first') + encodeGap(5, gap) + encodeLine(9, 'event', 'last')
    expect(decodeBlock({ firstSeq: 0, count: 1_002, startedAt, block })).toEqual([
      { seq: 0, ts: start, stream: 'stdout', payload: 'first' },
      { seq: 1, ts: start + 5, gap },
      { seq: 1_001, ts: start + 9, stream: 'event', payload: 'last' },
    ])
  })

  test.each([
    ['a line with too few fields', '5\to\n', 1],
    ['a line with too many fields', '5\to\ta\tb\n', 1],
    ['a stream letter nobody knows', '5\tq\ta\n', 1],
    ['a time that is no number', 'now\to\ta\n', 1],
    ['fewer lines than it says', '5\to\ta\n', 2],
    ['more lines than it says', '5\to\ta\n5\to\tb\n', 1],
    ['a gap without a reason', '5\tg\t{"count":1,"bytes":1}\n', 1],
    ['a gap that is no JSON', '5\tg\t{\n', 1],
  ])('is refused with %s', (_, block, count) => {
    expect(() => decodeBlock({ firstSeq: 0, count, startedAt, block })).toThrow()
    expect(() => checkBlock({ firstSeq: 0, count, startedAt, block })).toThrow()
  })

  test('is checked without being read: what can be read passes, gaps, odd payloads and empty lines included', () => {
    const lines = [
      encodeLine(0, 'stdout', 'a\tb\nc\\'),
      encodeLine(1e12, 'event', ''),
      encodeLine(3, 'stderr', '☃'),
    ]
    const gap = encodeGap(5, { count: 10, bytes: 1, reason: 'too much' })
    for (const [block, count] of [
      [lines.join(''), 3],
      [lines.join('\n'), 3],
      [lines.join('').slice(0, -1), 3],
      [lines.join(gap), 23],
      [gap, 10],
    ] as const) {
      checkBlock({ firstSeq: 7, count, startedAt, block })
      expect(() => checkBlock({ firstSeq: 7, count: count + 1, startedAt, block })).toThrow()
    }
  })
})
