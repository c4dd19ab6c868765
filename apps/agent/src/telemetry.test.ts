// Telemetry on its way: logs only when no fact waits, one piece at a time, and nothing a server says stops the rest.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import { encodeLine, type LogStreamBlock } from '@restic-manager/contract/log'
import { createLog } from '@restic-manager/runtime/log'
import { until } from '@restic-manager/testkit/until'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ackFact, nextFact, pruneFacts, recordFact } from './facts.ts'
import { endJob, markStarting, readJob, type Job } from './job-book.ts'
import { acceptJob } from './job-intake.ts'
import { openLogSpool, type LogSpool } from './log-spool.ts'
import { openState, type State } from './state.ts'
import { createTelemetry, type Telemetry, type TelemetryWire } from './telemetry.ts'
import { backupOrder } from './testing-orders.ts'

const silent = createLog({ level: 'silent' })
const limits = {
  logBlockBytes: 65_536,
  logFlushMs: 250,
  logBytesPerSecond: 1024 ** 3,
  progressIntervalMs: 10,
}

let folder: string
let state: State
let spool: LogSpool
let telemetry: Telemetry
let closed: AbortController
let sending: Promise<void>
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rm-telemetry-'))
  state = openState(folder, silent)
  spool = openLogSpool(folder, silent)
  telemetry = createTelemetry(state, spool, silent)
  closed = new AbortController()
})
afterEach(async () => {
  closed.abort()
  await sending
  spool.close()
  state.close()
  rmSync(folder, { recursive: true, force: true })
})

const send = (log: TelemetryWire['log']) => {
  const wire = { log, progress: async () => {}, repoStats: async () => {} }
  sending = telemetry.send(wire, limits, closed.signal)
}

/** The server has heard that this job runs, and lines of it wait. */
function talkingJob(lines: number, text = 'x'.repeat(1_000)): string {
  const jobId = newId()
  tell(jobId)
  for (let at = 0; at < lines; at += 50)
    spool.keep(jobId, {
      ...{ firstSeq: at, count: 50, startedAt: '2026-11-23T07:12:56.534Z' },
      block: encodeLine(0, 'stdout', text).repeat(50),
    })
  return jobId
}
function acceptedOrder() {
  const order = backupOrder()
  acceptJob(state, order)
  ackFact(state, { lane: 'first', seq: nextFact(state)?.message.seq as number })
  return order
}
const keepLine = (jobId: string, seq: number) =>
  spool.keep(jobId, {
    ...{ firstSeq: seq, count: 1, startedAt: '2026-11-23T07:12:56.534Z' },
    block: encodeLine(0, 'stdout', `line ${seq}`),
  })
const tell = (jobId: string) => {
  const seq = recordStarted(jobId)
  ackFact(state, { lane: 'rest', seq })
}
const recordStarted = (jobId: string) =>
  recordFact(
    state,
    'job.started',
    {
      ...{ jobId, kind: 'backup', repositoryId: newId(), startedAt: '2026-11-23T07:12:56.534Z' },
      ...{ command: 'restic backup', resticVersion: '0.18.0' },
    },
    { jobId },
  )

test('a fact that comes while a piece of a log is on its way goes next, and no other piece before it is committed (row 5)', async () => {
  const jobId = talkingJob(500)
  const sent: LogStreamBlock[] = []
  const answer = Promise.withResolvers<void>()
  send(async piece => {
    sent.push(piece)
    if (sent.length === 2) await answer.promise
    return { nextSeq: piece.firstSeq + piece.count }
  })
  await until(() => sent.length === 2)
  const seq = recordStarted(newId())
  answer.resolve()
  const taken = sent.reduce((sum, { count }) => sum + count, 0)
  await until(() => spool.oldest(jobId)?.firstSeq === taken)
  expect(nextFact(state)?.message.seq).toBe(seq)
  telemetry.wake()
  await new Promise(resolve => setImmediate(resolve))
  expect(sent).toHaveLength(2)
  ackFact(state, { lane: 'rest', seq })
  telemetry.wake()
  await until(() => spool.waitingJobs().length === 0)
  expect(sent.reduce((sum, { count }) => sum + count, 0)).toBe(500)
  // Never more than what one piece may be is on its way.
  for (const { block } of sent) expect(Buffer.byteLength(block)).toBeLessThanOrEqual(limits.logBlockBytes)
})

test('the log of the job that speaks now goes before those of jobs that ended, and logs of unknown jobs wait', async () => {
  const { jobId: unknown } = acceptedOrder()
  const [old, now] = [talkingJob(50), talkingJob(50)]
  spool.keep(unknown, {
    ...{ firstSeq: 0, count: 1, startedAt: '2026-11-23T07:12:56.534Z' },
    block: encodeLine(0, 'stdout', 'too early'),
  })
  const order: string[] = []
  send(async ({ jobId, firstSeq, count }) => {
    order.push(jobId)
    return { nextSeq: firstSeq + count }
  })
  await until(() => spool.waitingJobs().length === 1)
  expect([...new Set(order)]).toEqual([now, old])
  tell(unknown)
  telemetry.wake()
  await until(() => spool.waitingJobs().length === 0)
  expect(order.at(-1)).toBe(unknown)
})

test('a server that is busy gets the same piece again, and one that lets lines go is sent what follows', async () => {
  const jobId = talkingJob(100)
  const sent: number[] = []
  send(async ({ firstSeq, count }) => {
    sent.push(firstSeq)
    if (sent.length === 1) throw Object.assign(new Error('busy'), { data: { code: 'TOO_MANY_REQUESTS' } })
    return { nextSeq: firstSeq + count }
  })
  await until(() => spool.oldest(jobId) === undefined)
  expect(sent.slice(0, 2)).toEqual([0, 0])
  expect(spool.bytes()).toBe(0)
})

test('a log is in doubt when the server has no fact that was written after it took the log', async () => {
  const [before, after] = [talkingJob(50), talkingJob(50)]
  const { epoch } = state
  send(async ({ firstSeq, count }) => ({ nextSeq: firstSeq + count }))
  await until(() => spool.waitingJobs().length === 0)
  const has = { first: 0, rest: 2 }
  const doubted = (rest: number) => spool.inDoubt({ ...has, epoch, rest }).map(({ jobId }) => jobId)
  expect(doubted(2).toSorted()).toEqual([before, after].toSorted())
  expect(doubted(3)).toEqual([])
  expect(spool.inDoubt({ ...has, epoch: newId() })).toEqual([])

  // What it takes later is safe only with a later fact.
  const later = talkingJob(50)
  telemetry.wake()
  await until(() => spool.waitingJobs().length === 0)
  expect(doubted(3)).toEqual([later])
  expect(spool.inDoubt({ ...has, epoch, rest: 3 })).toEqual([{ jobId: later, lastSeq: 49 }])
  spool.forget(later)
  expect(doubted(3)).toEqual([])
})

test('logs still go when what made their jobs known was forgotten for want of room, or lost with a damaged book', async () => {
  const [runs, ended] = [acceptedOrder(), acceptedOrder()].map(({ jobId }) => {
    markStarting(state, jobId)
    state.run(`update jobs set state = 'running' where id = ?`, jobId)
    tell(jobId)
    keepLine(jobId, 0)
    return readJob(state, jobId) as Job
  }) as [Job, Job]
  endJob(state, ended, { status: 'succeeded', warnings: [], lastLogSeq: 0 })
  ackFact(state, { lane: 'rest', seq: nextFact(state)?.message.seq as number })
  const lost = newId()
  keepLine(lost, 0)
  pruneFacts(state, 0, Date.now() + 1)
  expect(state.all('select name from facts')).toEqual([{ name: 'job.started' }])
  const got: string[] = []
  send(async ({ jobId, firstSeq, count }) => {
    got.push(jobId)
    return { nextSeq: firstSeq + count }
  })
  await until(() => spool.waitingJobs().length === 0)
  expect(got.toSorted()).toEqual([runs.id, ended.id, lost].toSorted())
})

test('a server that was busy and then refuses a part of a log costs that part only, on a disk that takes nothing not even the link', async () => {
  const jobId = talkingJob(100)
  const sent: number[] = []
  const said = (code: string) => Object.assign(new Error('no'), { data: { code } })
  const { giveUp } = spool
  let isFull = true
  spool.giveUp = (...part) => {
    if (isFull) {
      isFull = false
      throw Object.assign(new Error('full'), { code: 'ERR_SQLITE_ERROR', errcode: 13 })
    }
    giveUp(...part)
  }
  send(async ({ firstSeq, count }) => {
    sent.push(firstSeq)
    if (sent.length === 1) throw said('TOO_MANY_REQUESTS')
    if (sent.length <= 3) throw said('BAD_REQUEST')
    return { nextSeq: firstSeq + count }
  })
  await until(() => spool.waitingJobs().length === 0)
  expect(sent.slice(0, 4)).toEqual([0, 0, 0, 0])
  expect(spool.lastSeq(jobId)).toBe(99)
})
