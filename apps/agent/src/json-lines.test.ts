// The lines of a JSON text: the same texts are JSON here and for the engine, and each value is found on its line.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readJsonLines } from './json-lines.ts'

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

test('what the engine reads has no fault, and what it does not read has one', () => {
  const marks = fc.constantFrom(...'{}[],:"\\/0-.e \n\u0001'.split(''), 'true', '"a"', '\\u12', '01', '')
  const nearly = fc
    .tuple(fc.json({ maxDepth: 3 }), fc.nat(), fc.nat(2), marks)
    .map(([text, place, cut, mark]) => {
      const at = place % (text.length + 1)
      return text.slice(0, at) + mark + text.slice(at + cut)
    })
  fc.assert(
    fc.property(
      fc.oneof(
        fc.json(),
        fc.json({ maxDepth: 2 }).map(text => `\n ${text}\t`),
        nearly,
      ),
      text => {
        const { fault } = readJsonLines(text)
        if (fault?.says.includes('again, after line') === true) return // the engine takes the last one
        expect(fault === undefined, text).toBe(isJson(text))
      },
    ),
    { numRuns: 2_000 },
  )
})

test('each value is found on its line', () => {
  const { lines } = readJsonLines('{\n "a": [1,\n  {"b": null}\n ],\r\n "c": "x"}')
  expect(Object.fromEntries(lines)).toEqual({ '': 1, a: 2, 'a.0': 2, 'a.1': 3, 'a.1.b': 3, c: 5 })
})

test('a text that is too deep to read has a fault like any other', () => {
  expect(readJsonLines('['.repeat(100_000)).fault).toEqual({ line: 1, says: 'is too deep' })
})
