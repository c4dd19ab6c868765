// A restic that hangs: seen as stalled, then interrupted, then killed, whatever it goes on saying.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { fakeRestic } from '@restic-manager/testkit/fake-restic'
import type { FakeRun } from '@restic-manager/testkit/fake-restic-script'
import { jobBench } from '../testing-jobs.ts'
import { runJob } from './run.ts'
import { startTimeLimit } from './time-limit.ts'

const status = {
  message_type: 'status',
  percent_done: 0.5,
  total_files: 2,
  files_done: 1,
  total_bytes: 20,
  bytes_done: 10,
}
/** Says the same over and over, as restic does while a dead disk keeps it waiting. */
const hangs: FakeRun = {
  steps: Array.from({ length: 200 }, () => [{ print: status }, { sleepMs: 50 }]).flat(),
}

function benchWith(run: FakeRun, kind = 'backup') {
  const folder = mkdtempSync(join(tmpdir(), 'stalled-'))
  const fake = fakeRestic(folder, { runs: { [kind]: run } })
  const bench = jobBench(
    { path: fake.path, version: '0.18.0' },
    { timing: { stalledAfter: 200, hungAfter: 2_500, cancelGrace: 300 } },
  )
  return {
    ...{ fake, bench },
    [Symbol.dispose]() {
      bench[Symbol.dispose]()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

test.concurrent('a backup in which nothing moves is shown as stalled, then interrupted, and says why it failed (row 32)', async () => {
  using hanging = benchWith(hangs)
  const { fake, bench } = hanging
  const outcome = await runJob('backup', bench.context, { paths: ['/srv'] })
  expect(outcome).toMatchObject({ status: 'failed', reason: 'stalled' })
  expect(bench.progress.map(({ phase }) => phase)).toContain('stalled')
  expect(fake.ledger().flatMap(entry => (entry.event === 'signalled' ? entry.signal : []))).toEqual([
    'SIGINT',
  ])
})

test.concurrent('one that does not listen is killed (row 32)', async () => {
  using hanging = benchWith({ ...hangs, interrupted: 'ignored' })
  const { bench } = hanging
  expect(await runJob('backup', bench.context, { paths: ['/srv'] })).toMatchObject({
    ...{ status: 'failed', reason: 'stalled', signal: 'SIGKILL' },
  })
})

test.concurrent('a prune that counts the same again and again hangs as well', async () => {
  const line = { print: '[0:04] 69.23%  9 / 13 packs repacked' }
  const steps = Array.from({ length: 200 }, () => [line, { sleepMs: 50 }]).flat()
  using hanging = benchWith({ steps }, 'prune')
  const { bench } = hanging
  expect(await runJob('prune', bench.context, {})).toMatchObject({ status: 'failed', reason: 'stalled' })
  expect(bench.progress.at(-1)).toMatchObject({ filesDone: 9, totalFiles: 13 })
  expect(bench.progress.map(({ phase }) => phase)).toContain('stalled')
})

test.concurrent('a job that moves slowly is left alone', async () => {
  const steps = Array.from({ length: 40 }, (_, at) => [
    { print: { ...status, bytes_done: at } },
    { sleepMs: 100 },
  ]).flat()
  using hanging = benchWith({ steps: [...steps, { summary: {} }] })
  const { bench } = hanging
  expect(await runJob('backup', bench.context, { paths: ['/srv'] })).toMatchObject({ status: 'succeeded' })
})

test.concurrent('a job that takes longer than its limit is interrupted, and says so', async () => {
  using hanging = benchWith(hangs)
  const { fake, bench } = hanging
  const spec = { paths: ['/srv'], timeoutMinutes: 0.03 } // the contract has whole minutes, which no test can wait for
  expect(await runJob('backup', bench.context, spec)).toMatchObject({ status: 'failed', reason: 'timeout' })
  expect(fake.ledger().flatMap(entry => (entry.event === 'signalled' ? entry.signal : []))).toEqual([
    'SIGINT',
  ])
})

test('a limit of thirty days is kept to, though no timer goes so far', () => {
  vi.useFakeTimers()
  try {
    using limit = startTimeLimit(43_200)
    vi.advanceTimersByTime(43_200 * 60_000 - 1)
    expect(limit.signal.aborted).toBe(false)
    vi.advanceTimersByTime(1)
    expect(limit.signal.reason).toBe('timeout')
    using none = startTimeLimit(undefined)
    expect([none.signal.aborted, vi.getTimerCount()]).toEqual([false, 0])
  } finally {
    vi.useRealTimers()
  }
})
