// Telemetry on its way: logs only when no fact waits, one piece at a time, and nothing a server says stops the rest.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import { encodeLine, type LogStreamBlock } from '@restic-manager/contract/log'
import { createLog } from '@restic-manager/runtime/log'
import { until } from '@restic-manager/testkit/until'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ackFact, nextFact, recordFact } from './facts.ts'
import { openLogSpool, type LogSpool } from './log-spool.ts'
import { openState, type State } from './state.ts'
import { createTelemetry, type Telemetry, type TelemetryWire } from './telemetry.ts'

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
  const [old, unknown, now] = [talkingJob(50), newId(), talkingJob(50)]
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
