// The live bar tells no lies: it never goes back, never says done too early, and says when nothing moves.
import { Progress } from '@restic-manager/contract/job'
import { readTimeline } from '@restic-manager/testkit/captures'
import { describe, expect, test } from 'vitest'
import { readLine, type StatusMessage } from './messages.ts'
import { trackProgress } from './progress.ts'

const status = (over: Partial<StatusMessage>): StatusMessage => ({
  type: 'status',
  percentDone: 0,
  totalFiles: 100,
  filesDone: 0,
  totalBytes: 1_000_000,
  bytesDone: 0,
  counted: true,
  currentFiles: [],
  ...over,
})

function tracked(stalledAfterMs = 60_000) {
  const clock = { now: 0 }
  const progress = trackProgress(stalledAfterMs, () => clock.now)
  return {
    progress,
    /** A status `seconds` after the last one. */
    after(seconds: number, over: Partial<StatusMessage>) {
      clock.now += seconds * 1000
      progress.status(status(over))
      return progress.current()
    },
    pass(seconds: number) {
      clock.now += seconds * 1000
      return progress.current()
    },
  }
}

describe.each(['0.14.0', '0.18.0'] as const)('a real backup of restic %s', version => {
  test('moves forward only, fits the contract, and is done with the summary alone', () => {
    const clock = { now: 0 }
    const progress = trackProgress(60_000, () => clock.now)
    const seen: Progress[] = []
    for (const moment of readTimeline(version, 'tl-backup-ok')) {
      clock.now = moment.t * 1000
      for (const line of 'data' in moment ? moment.data.split('\n') : []) {
        const { message } = readLine('stdout', line, same => same)
        if (message?.type === 'status') progress.status(message)
        if (message?.type === 'summary') progress.done()
        seen.push(progress.current())
      }
    }
    const percents = seen.map(({ percentDone }) => percentDone)
    expect(percents).toEqual(percents.toSorted((a, b) => a - b))
    expect(percents.at(-1)).toBe(1)
    expect(percents.findLast(percent => percent < 1)).toBeLessThanOrEqual(0.99)
    expect(seen.filter(each => !Progress.safeParse(each).success)).toEqual([])
  })
})

test('all read is not all stored: without a summary the bar stops at 99 %', () => {
  const { after } = tracked()
  expect(after(1, { percentDone: 1, bytesDone: 1_000_000 }).percentDone).toBe(0.99)
})

test('while restic still counts, no share is claimed', () => {
  const { after } = tracked()
  const growing = after(1, { counted: false, percentDone: 0.9, bytesDone: 900, totalBytes: 1000 })
  expect(growing).toMatchObject({ phase: 'scanning', percentDone: 0 })
  const counted = after(1, { percentDone: 0.001, bytesDone: 1000 })
  expect(counted).toMatchObject({ phase: 'running', percentDone: 0.001 })
})

test('totals that stand still are counted totals', () => {
  const { after } = tracked()
  after(1, { counted: false })
  expect(after(4, { counted: false, bytesDone: 10 }).phase).toBe('running')
})

test('the time left is told from ten seconds of data on, and from the lately seen rate', () => {
  const { after } = tracked()
  for (let second = 1; second <= 9; second += 1)
    expect(after(1, { bytesDone: second * 10_000 })).not.toHaveProperty('etaSeconds')
  const { etaSeconds, throughputBps } = after(1, { bytesDone: 100_000 })
  expect(etaSeconds).toBe(90)
  expect(throughputBps).toBe(10_000)
})

test('a storage that does not answer is waited for until something moves again', () => {
  const { after, progress } = tracked()
  after(1, { bytesDone: 10 })
  progress.retrying()
  expect(after(1, { bytesDone: 10 }).phase).toBe('waiting for backend')
  expect(after(1, { bytesDone: 20 }).phase).toBe('running')
})

test('a backup in which nothing moves is stalled, and says so without a word from restic', () => {
  const { after, pass } = tracked(60_000)
  after(1, { bytesDone: 10 })
  expect(pass(59).phase).toBe('running')
  expect(pass(1).phase).toBe('stalled')
  expect(after(1, { bytesDone: 11 }).phase).toBe('running')
})

test('a cancelled backup is shown as such to its end', () => {
  const { after, progress } = tracked()
  progress.cancelling()
  progress.retrying()
  expect(after(1, { bytesDone: 10 }).phase).toBe('cancelling')
})

test('a backup that stands still for hours still fits the contract, and no time left is guessed for it', () => {
  const { after } = tracked()
  after(1, { bytesDone: 100 })
  after(15, { bytesDone: 500_000 })
  for (let minute = 0; minute < 180; minute += 1) {
    const current = after(60, { bytesDone: 500_000 })
    expect(Progress.safeParse(current).success).toBe(true)
    if (minute > 10) expect(current).not.toHaveProperty('etaSeconds')
  }
})
