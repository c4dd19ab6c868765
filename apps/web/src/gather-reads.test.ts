// Promises of re-reading under a burst of changes.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { gatherReads } from './gather-reads.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('a burst of ten seconds costs about one re-read a second', async () => {
  const reads: string[][] = []
  const gathered = gatherReads<string>(async wanted => reads.push(wanted))
  for (let change = 0; change < 1_000; change += 1) {
    gathered.add(change % 2 === 0 ? 'hosts' : 'jobs', change % 2 === 0 ? 'hosts' : 'jobs')
    await vi.advanceTimersByTimeAsync(10)
  }
  expect(reads.length).toBeLessThanOrEqual(11)
  expect(reads.at(-1)?.toSorted()).toEqual(['hosts', 'jobs'])
})

test('a pause of three seconds costs one re-read in three seconds', async () => {
  let reads = 0
  const gathered = gatherReads<string>(async () => void (reads += 1), { pause: 3_000 })
  for (let change = 0; change < 900; change += 1) {
    gathered.add('overview', 'overview')
    await vi.advanceTimersByTimeAsync(10)
  }
  expect(reads).toBeGreaterThan(1)
  expect(reads).toBeLessThanOrEqual(4)
})

test('what changes while a re-read is on its way is read once more after it', async () => {
  const answers: (() => void)[] = []
  const gathered = gatherReads<string>(() => new Promise<void>(resolve => answers.push(resolve)))
  gathered.add('hosts', 'hosts')
  await vi.advanceTimersByTimeAsync(2_000)
  gathered.add('hosts', 'hosts')
  await vi.advanceTimersByTimeAsync(2_000)
  expect(answers).toHaveLength(1)
  answers[0]?.()
  await vi.advanceTimersByTimeAsync(0)
  expect(answers).toHaveLength(2)
})

test('a re-read that is never answered does not hold back the next for ever', async () => {
  let reads = 0
  const gathered = gatherReads<string>(() => {
    reads += 1
    return new Promise(() => {})
  })
  gathered.add('hosts', 'hosts')
  await vi.advanceTimersByTimeAsync(1_000)
  gathered.add('hosts', 'hosts')
  await vi.advanceTimersByTimeAsync(10_000)
  expect(reads).toBe(2)
})

test('once stopped it reads no more', async () => {
  let reads = 0
  const gathered = gatherReads<string>(async () => (reads += 1))
  gathered.add('hosts', 'hosts')
  gathered.stop()
  await vi.advanceTimersByTimeAsync(10_000)
  expect(reads).toBe(0)
})
