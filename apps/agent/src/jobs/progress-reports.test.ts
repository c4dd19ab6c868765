// A live bar keeps step with restic, which speaks once a second.
import type { Progress } from '@restic-manager/contract/job'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { reportProgress } from './progress-reports.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['hrtime', 'setInterval', 'clearInterval'] }))
afterEach(() => void vi.useRealTimers())

const wordOf = (bytesDone: number) => ({ phase: 'running', bytesDone }) as Progress

test('each word of restic is told as it comes, although its seconds are not quite a second long', () => {
  const told: number[] = []
  let bytesDone = 0
  using reports = reportProgress(
    () => wordOf(bytesDone),
    progress => void told.push(progress.bytesDone),
  )
  reports.begin()
  for (const lateMs of [0, 3, -2, 4, -5, 0, 1, -1, 2, -4]) {
    vi.advanceTimersByTime(1_000 + lateMs)
    bytesDone += 1
    reports.report()
    expect(told.at(-1)).toBe(bytesDone)
  }
})

test('words that come faster are told about once a second, the newest each time', () => {
  const told: number[] = []
  let bytesDone = 0
  using reports = reportProgress(
    () => wordOf(bytesDone),
    progress => void told.push(progress.bytesDone),
  )
  reports.begin()
  for (; bytesDone < 100; bytesDone += 1) {
    vi.advanceTimersByTime(50)
    reports.report()
  }
  expect(told.length).toBeLessThanOrEqual(7)
  expect(told.at(-1)).toBeGreaterThan(80)
})
