// The list of jobs that have begun: what it survives, how large it gets, and that no job starts without being in it.
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import { toInstant } from '@restic-manager/contract/scalars'
import { createLog } from '@restic-manager/runtime/log'
import { expect, test } from 'vitest'
import { endRun, markStarting, openJobs, readJob, type Job } from './job-book.ts'
import { acceptJob } from './job-intake.ts'
import { openStartBook } from './start-book.ts'
import { openState } from './state.ts'
import { createTestClock } from './testing-clock.ts'
import { testFolder } from './testing-folder.ts'
import { backupOrder } from './testing-orders.ts'

const log = createLog({ level: 'silent' })
const clock = createTestClock('2026-06-10T12:00:00Z')
const dayMs = 24 * 3_600_000

/** A folder and the file in it. */
function place() {
  const folder = testFolder('rm-starts-')
  return { folder, path: join(folder, 'begun-jobs') }
}

test('what was noted is read again, also behind lines that were torn or overwritten (row 24)', () => {
  const { folder, path } = place()
  const ids = [newId(), newId(), newId(), newId()]
  const [first = '', second = '', third = '', fourth = ''] = ids
  const book = openStartBook(folder, log, clock)
  book.note(first)
  book.note(second)
  truncateSync(path, statSync(path).size - 5)
  openStartBook(folder, log, clock).note(third)
  appendFileSync(path, Buffer.from([0, 0xff, 0x0a, 0x20, 0xa5]))
  openStartBook(folder, log, clock).note(fourth)
  expect(openStartBook(folder, log, clock).begun()).toEqual([first, third, fourth])
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('a list that has grown is written anew without what is two weeks old, never without the last thousand, and never with more than twenty thousand', () => {
  const { folder, path } = place()
  const line = (at: number) => `${toInstant(at)} ${newId()}\n`
  const many = (count: number, at: number) => Array.from({ length: count }, () => line(at)).join('')
  const now = clock.now()
  writeFileSync(path, many(3_000, now - 15 * dayMs) + many(1_500, now - 13 * dayMs))
  openStartBook(folder, log, clock).note(newId())
  expect(openStartBook(folder, log, clock).begun()).toHaveLength(1_501)
  writeFileSync(path, many(4_500, now - 15 * dayMs))
  openStartBook(folder, log, clock).note(newId())
  expect(openStartBook(folder, log, clock).begun()).toHaveLength(1_000)
  writeFileSync(path, many(25_000, now))
  openStartBook(folder, log, clock).note(newId())
  expect(readFileSync(path, 'utf8').trimEnd().split('\n')).toHaveLength(20_000)
})

test('a job does not start while that cannot be written down, and starts once it can', () => {
  const { folder, path } = place()
  const state = openState(folder, log)
  const order = backupOrder()
  acceptJob(state, order)
  mkdirSync(path)
  expect(() => markStarting(state, order.jobId)).toThrow()
  expect(openJobs(state)).toMatchObject([{ id: order.jobId, state: 'accepted' }])
  rmdirSync(path)
  expect(markStarting(state, order.jobId)).toBe(true)
  state.close()
})

test('a list that cannot be read keeps no spool from being begun anew (row 24)', () => {
  const { folder, path } = place()
  openState(folder, log).close()
  writeFileSync(join(folder, 'state.db'), 'this was a database once')
  mkdirSync(path)
  const state = openState(folder, log)
  expect(openJobs(state)).toEqual([])
  state.close()
})

test('a job that runs while the spool is begun anew under it ends as it ended (row 24)', () => {
  const { folder } = place()
  const first = openState(folder, log)
  const order = backupOrder()
  acceptJob(first, order)
  const job = readJob(first, order.jobId) as Job
  markStarting(first, job.id)
  first.close()
  writeFileSync(join(folder, 'state.db'), 'this was a database once')
  const state = openState(folder, log)
  expect(readJob(state, job.id)?.state).toBe('refused')
  const ending = { status: 'succeeded' as const, warnings: [], lastLogSeq: -1 }
  expect(endRun(state, job, ending)).toBe(true)
  expect(endRun(state, job, { ...ending, status: 'failed' })).toBe(false)
  expect(readJob(state, job.id)).toMatchObject({ kind: 'backup', state: 'ended', header: job.header })
  expect(state.all('select name from facts')).toEqual([{ name: 'job.finished' }])
  state.close()
})
