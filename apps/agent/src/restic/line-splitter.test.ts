// Lines come out whole, in order and bounded, however the bytes came in.
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { splitLines, type RawLine } from './line-splitter.ts'

function linesOf(chunks: Uint8Array[], maxBytes = 1_000_000): RawLine[] {
  const lines: RawLine[] = []
  const splitter = splitLines(maxBytes, line => lines.push(line))
  for (const chunk of chunks) splitter.push(chunk)
  splitter.end()
  return lines
}

function cut(bytes: Uint8Array, places: number[]): Uint8Array[] {
  const ends = [...new Set([...places.map(place => place % (bytes.length + 1)), bytes.length])].toSorted(
    (a, b) => a - b,
  )
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

/** Without what is no text: newlines, and what is taken out or replaced. */
function plain(text: string): string {
  return ['\n', '\r', '\0', '\u{1B}'].reduce((left, mark) => left.replaceAll(mark, ''), text).toWellFormed()
}

test('any text cut anywhere comes out as its lines', () => {
  const line = fc.string({ unit: 'binary', maxLength: 60 }).map(text => plain(text))
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1, maxLength: 8 }),
      fc.array(fc.nat(), { maxLength: 8 }),
      (lines, places) => {
        const chunks = cut(Buffer.from(lines.map(each => `${each}\n`).join('')), places)
        expect(linesOf(chunks)).toEqual(lines.map(text => ({ text, droppedBytes: 0 })))
      },
    ),
  )
}, 30_000)

test('a line is cut at its limit, between characters, and says how much is gone', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme' }),
      fc.integer({ min: 0, max: 40 }),
      fc.array(fc.nat()),
      (text, max, places) => {
        fc.pre(plain(text) === text)
        const bytes = Buffer.from(`${text}\n`)
        const [line] = linesOf(cut(bytes, places), max) as [RawLine]
        expect(text.startsWith(line.text)).toBe(true)
        expect(Buffer.byteLength(line.text) + line.droppedBytes).toBe(bytes.length - 1)
        expect(Buffer.byteLength(line.text)).toBeLessThanOrEqual(max)
      },
    ),
  )
})

test('the last line counts without its newline, and an empty output has no line', () => {
  expect(linesOf([Buffer.from('a\nb')]).map(({ text }) => text)).toEqual(['a', 'b'])
  expect(linesOf([])).toEqual([])
})

test('what erases a line on a terminal is taken out', () => {
  const [line] = linesOf([Buffer.from('\u001B[2Ksignal interrupt received, cleaning up\r\n')])
  expect(line?.text).toBe('signal interrupt received, cleaning up')
})
