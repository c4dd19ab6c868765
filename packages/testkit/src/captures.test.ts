// The captures are whole: each can be read as what a run printed and how it ended.
import { expect, test } from 'vitest'
import { captureNames, readCapture, readTimeline, type CapturedVersion } from './captures.ts'

test.each<CapturedVersion>(['0.14.0', '0.18.0'])('every capture of %s says how the run ended', version => {
  const captures = captureNames(version).map(name => readCapture(version, name))
  expect(captures.length).toBeGreaterThan(50)
  expect(captures.filter(({ command }) => command === '')).toEqual([])
  expect(
    captures.filter(({ exitCode, signal }) => (signal === null) === !Number.isInteger(exitCode)),
  ).toEqual([])
  const timelines = captureNames(version).filter(name => name.startsWith('tl-'))
  expect(timelines.filter(name => !('exit' in (readTimeline(version, name).at(-1) ?? {})))).toEqual([])
})
