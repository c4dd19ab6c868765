// Logs on a disk: bounded whatever comes, small again afterwards, and never the reason that facts do not go.
import { mkdtempSync, rmSync, statSync, writeFileSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import { decodeBlock, encodeLine, type LogStreamBlock } from '@restic-manager/contract/log'
import { createLog } from '@restic-manager/runtime/log'
import { afterAll, expect, test } from 'vitest'
import { openLogSpool, type LogSpool } from './log-spool.ts'
import { createPieceSize } from './piece-size.ts'

const silent = createLog({ level: 'silent' })
const root = mkdtempSync(join(tmpdir(), 'rm-log-spool-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
const folder = () => mkdtempSync(join(root, 'spool-'))
const startedAt = '2026-11-23T07:12:56.534Z'
const blockOf = (firstSeq: number, lines: string[]) => ({
  ...{ firstSeq, count: lines.length, startedAt },
  block: lines.map((line, at) => encodeLine(at, 'stdout', line)).join(''),
})

/** Takes all of a job's log in pieces of at most `mostBytes`, as a server would, and answers what it got. */
function drain(spool: LogSpool, jobId: string, mostBytes?: number): LogStreamBlock[] {
  const pieces: LogStreamBlock[] = []
  for (;;) {
    const piece = spool.oldest(jobId, mostBytes)
    if (piece === undefined) return pieces
    pieces.push(piece)
    spool.taken(jobId, piece.firstSeq + piece.count)
  }
}

/** Every number from 0 to `last` is in exactly one entry; answers how many of them are in gaps. */
function gapless(pieces: LogStreamBlock[], last: number): { gaps: number; lost: number } {
  let next = 0
  let [gaps, lost] = [0, 0]
  for (const entry of pieces.flatMap(decodeBlock)) {
    expect(entry.seq).toBe(next)
    next += 'gap' in entry ? entry.gap.count : 1
    if ('gap' in entry) [gaps, lost] = [gaps + 1, lost + entry.gap.count]
  }
  expect(next - 1).toBe(last)
  return { gaps, lost }
}

test('a link that is away for a thousand jobs fills the spool to its budget only: even beginnings give way, each job keeps one gap (row 3)', () => {
  const path = folder()
  const budget = { bytes: 800_000, headBytes: 10_000 }
  const spool = openLogSpool(path, silent, { budget })
  const jobs = Array.from({ length: 1_000 }, newId)
  for (const jobId of jobs) {
    spool.keep(jobId, blockOf(0, ['the beginning', 'x'.repeat(4_000)]))
    spool.keep(jobId, blockOf(2, ['x'.repeat(4_000), 'the end']))
  }
  expect(spool.bytes()).toBeLessThan(budget.bytes)
  expect(statSync(join(path, 'logs.db')).size).toBeLessThan(3 * budget.bytes)
  expect(spool.waitingJobs()).toEqual(jobs)
  const kept = jobs.map(jobId => gapless(drain(spool, jobId), 3))
  expect(kept[0]).toEqual({ gaps: 1, lost: 4 })
  expect(kept.at(-1)).toEqual({ gaps: 0, lost: 0 })
  expect(Math.max(...kept.map(({ gaps }) => gaps))).toBe(1)
  expect(spool.waitingJobs()).toEqual([])
  spool.close()
})

test('what an outage took on the disk is given back after it, and what waits outlives a restart', () => {
  const path = folder()
  const before = openLogSpool(path, silent)
  const [large, small] = [newId(), newId()]
  for (let at = 0; at < 400; at += 1) before.keep(large, blockOf(at, ['x'.repeat(60_000)]))
  before.keep(small, blockOf(0, ['still here']))
  before.close()
  const size = () => statSync(join(path, 'logs.db')).size
  expect(size()).toBeGreaterThan(22_000_000)

  const spool = openLogSpool(path, silent)
  expect(spool.waitingJobs()).toEqual([large, small])
  gapless(drain(spool, large), 399)
  expect(drain(spool, small)).toMatchObject([{ block: '0\to\tstill here\n' }])
  for (let at = 0; at < 20; at += 1) spool.taken(small, 1)
  expect([spool.bytes(), spool.lastSeq(large)]).toEqual([0, 399])
  spool.close()
  expect(size()).toBeLessThan(18_000_000)
})

test('a block is sent in pieces as small as the link needs, of whole lines, and taken piece by piece', () => {
  const spool = openLogSpool(folder(), silent)
  const jobId = newId()
  const lines = Array.from({ length: 300 }, (_, at) => `${at} ${'ü'.repeat(at % 60)}`)
  spool.keep(jobId, blockOf(0, lines.slice(0, 200)))
  spool.keep(jobId, blockOf(200, [...lines.slice(200), 'a line longer than a piece '.repeat(100)]))
  const pieces = drain(spool, jobId, 1_000)
  expect(gapless(pieces, 300)).toEqual({ gaps: 0, lost: 0 })
  expect(pieces.length).toBeGreaterThan(10)
  for (const piece of pieces.slice(0, -1)) expect(Buffer.byteLength(piece.block)).toBeLessThanOrEqual(1_000)
  expect(pieces.flatMap(decodeBlock).map(entry => 'payload' in entry && entry.payload)).toEqual([
    ...lines,
    'a line longer than a piece '.repeat(100),
  ])
  // An answer was lost and more was sent the next time: what the server has is not sent again.
  spool.keep(jobId, blockOf(301, ['one', 'two', 'three']))
  spool.taken(jobId, 303)
  expect(spool.oldest(jobId)).toMatchObject({ firstSeq: 303, count: 1, block: '2\to\tthree\n' })
  spool.close()
})

test('a spool that turns out to be damaged while it is open is moved aside, and the host goes on with an empty one', () => {
  const path = folder()
  const spool = openLogSpool(path, silent)
  const jobId = newId()
  for (let at = 0; at < 50; at += 1) spool.keep(jobId, blockOf(at, ['x'.repeat(30_000)]))
  spool.close()
  const damaged = openLogSpool(path, silent)
  writeFileSync(join(path, 'logs.db'), Buffer.alloc(1_000_000, 'not a database'))
  expect(damaged.oldest(jobId)).toBeUndefined()
  expect(readdirSync(path).some(name => name.startsWith('logs.db.damaged-'))).toBe(true)
  expect(damaged.keep(jobId, blockOf(50, ['after']))).toBe(true)
  expect(damaged.oldest(jobId)).toMatchObject({ firstSeq: 50 })
  damaged.close()
})

test('pieces shrink on a slow link and grow again on a quick one, within what the server wants (row 5)', () => {
  const size = createPieceSize(65_536)
  expect(size.bytes()).toBe(16_384)
  for (let at = 0; at < 9; at += 1) size.answered(20)
  expect(size.bytes()).toBe(65_536)
  size.answered(500)
  expect(size.bytes()).toBe(65_536)
  size.answered(4_000)
  expect(size.bytes()).toBe(32_768)
  size.unanswered()
  size.unanswered()
  expect(size.bytes()).toBe(4_096)
  size.answered(20)
  expect(size.bytes()).toBe(8_192)
  expect(createPieceSize(1_024).bytes()).toBe(1_024)
})
