// Promises of the log on the page.
import type { LogPage } from '@restic-manager/contract/views'
import { expect, test } from 'vitest'
import { createLogStore, KEPT } from './log-store.ts'

const line = (seq: number) => ({ seq, ts: seq, stream: 'stdout' as const, payload: `line ${seq}` })
const page = (from: number, count: number): LogPage => ({
  entries: Array.from({ length: count }, (_, index) => line(from + index)),
  nextSeq: from + count,
  atEnd: true,
})
const told = (store: ReturnType<typeof createLogStore>) =>
  new Promise<void>(resolve => store.subscribe(resolve))

test('a page that overlaps what is there adds only what is new', async () => {
  const store = createLogStore(0, 0)
  const drawn = told(store)
  store.take(page(0, 5))
  store.take(page(3, 5))
  await drawn
  expect(store.snapshot().rows.map(row => row.seq)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
})

test('a gap counts as the lines it stands for', () => {
  const store = createLogStore(0, 0)
  store.take({
    entries: [line(0), { seq: 1, ts: 0, gap: { count: 9, bytes: 1, reason: 'full' } }],
    nextSeq: 10,
    atEnd: true,
  })
  store.take({
    entries: [{ seq: 5, ts: 0, gap: { count: 5, bytes: 1, reason: 'full' } }],
    nextSeq: 10,
    atEnd: true,
  })
  expect(store.nextSeq()).toBe(10)
})

test('keeps the newest lines of a log that is too long, and says how many came before', async () => {
  const store = createLogStore(0, 0)
  const drawn = told(store)
  for (let from = 0; from < KEPT * 1.2; from += 10_000) store.take(page(from, 10_000))
  await drawn
  const { rows, skipped } = store.snapshot()
  expect(rows.length).toBeLessThanOrEqual(KEPT * 1.1)
  expect(rows[0]?.seq).toBe(skipped)
  expect(rows.at(-1)?.seq).toBe(KEPT * 1.2 - 1)
})

test('many pages become one drawing', async () => {
  const store = createLogStore(0, 0)
  let drawings = 0
  const drawn = new Promise<void>(resolve => store.subscribe(() => (drawings += 1) && resolve()))
  for (let from = 0; from < 50; from += 1) store.take(page(from, 1))
  await drawn
  expect(drawings).toBe(1)
})
