// A job's log: numbered without holes, bounded whatever restic says, head and tail kept.
import { newId } from '@restic-manager/contract/ids'
import { decodeBlock } from '@restic-manager/contract/log'
import { createLog } from '@restic-manager/runtime/log'
import { expect, test } from 'vitest'
import { startJobLog, type CutBlock } from './job-log.ts'
import { openLogSpool } from './log-spool.ts'
import { testFolder } from './testing-folder.ts'

const limits = () => ({ blockBytes: 65_536, flushMs: 250, bytesPerSecond: 1 })
const silent = createLog({ level: 'silent' })

/** Every number from 0 on is in exactly one entry. */
function numbersOf(blocks: CutBlock[]): { last: number; gaps: number } {
  let next = 0
  let gaps = 0
  for (const entry of blocks.flatMap(decodeBlock)) {
    expect(entry.seq).toBe(next)
    next += 'gap' in entry ? entry.gap.count : 1
    if ('gap' in entry) gaps += 1
  }
  return { last: next - 1, gaps }
}

test('lines come out as they went in, with every mark in them', () => {
  const blocks: CutBlock[] = []
  const log = startJobLog(limits, block => blocks.push(block) > 0)
  const lines = ['plain', 'tab\tnewline\nbackslash\\', '', 'ünïcödé']
  for (const line of lines) log.line('stdout', line)
  expect(log.end()).toBe(3)
  expect(blocks.flatMap(decodeBlock).map(entry => ('payload' in entry ? entry.payload : ''))).toEqual(lines)
})

test('a flood keeps its head and its tail, and the middle is a gap that says how much (row 37)', () => {
  const blocks: CutBlock[] = []
  const log = startJobLog(limits, block => blocks.push(block) > 0)
  for (let at = 0; at < 200_000; at += 1) log.line('stderr', `${at} ${'x'.repeat(100)}`)
  const last = log.end()
  expect(numbersOf(blocks)).toEqual({ last, gaps: 1 })
  expect(last).toBe(199_999)
  expect(blocks.reduce((sum, block) => sum + block.block.length, 0)).toBeLessThan(6 * 1024 * 1024)
  expect(blocks.every(block => Buffer.byteLength(block.block) <= 65_536)).toBe(true)
  const entries = blocks.flatMap(decodeBlock)
  expect(entries[0]).toMatchObject({ payload: expect.stringMatching(/^0 x/) })
  expect(entries.at(-1)).toMatchObject({ payload: expect.stringMatching(/^199999 x/) })
})

test('what the disk does not take becomes a gap', () => {
  const blocks: CutBlock[] = []
  let full = false
  const log = startJobLog(
    () => ({ ...limits(), blockBytes: 10 }),
    block => !full && blocks.push(block) > 0,
  )
  log.line('stdout', 'kept before')
  log.line('stdout', 'kept too')
  full = true
  log.line('stdout', 'lost')
  log.line('stdout', 'lost too')
  full = false
  log.line('stdout', 'kept again')
  expect(log.end()).toBe(4)
  expect(numbersOf(blocks)).toMatchObject({ last: 4, gaps: 1 })
})

test('a spool over its budget gives up its oldest blocks, not the head, and stays gapless (row 3)', () => {
  const spool = openLogSpool(testFolder('rm-logs-'), silent, {
    budget: {
      bytes: 100_000,
      headBytes: 5_000,
    },
  })
  const jobId = newId()
  const log = startJobLog(
    () => ({ blockBytes: 2_000, flushMs: 250, bytesPerSecond: 1e9 }),
    block => spool.keep(jobId, block),
  )
  for (let at = 0; at < 20_000; at += 1) log.line('stdout', `${at} ${'x'.repeat(50)}`)
  const last = log.end()
  expect(spool.bytes()).toBeLessThanOrEqual(100_000)
  const sent: CutBlock[] = []
  for (let block = spool.oldest(jobId); block !== undefined; block = spool.oldest(jobId)) {
    sent.push(block)
    spool.taken(jobId, block.firstSeq + block.count)
  }
  expect(numbersOf(sent)).toEqual({ last, gaps: 1 })
  expect(spool.lastSeq(jobId)).toBe(last)
  expect(spool.bytes()).toBe(0)
  spool.close()
})

test('a gap of which a part was taken before it became one is sent from where the server stands', () => {
  const spool = openLogSpool(testFolder('rm-logs-'), silent)
  const jobId = newId()
  const block = { firstSeq: 0, count: 2, startedAt: '2026-11-23T07:12:56.534Z', block: '0\to\ta\n0\to\tb\n' }
  spool.keep(jobId, block)
  spool.keep(jobId, { ...block, firstSeq: 2 })
  spool.giveUp(jobId, 0, 'because')
  spool.giveUp(jobId, 2, 'because')
  expect(spool.oldest(jobId)).toMatchObject({ firstSeq: 0, count: 4 })
  spool.taken(jobId, 2)
  expect(spool.oldest(jobId)).toMatchObject({ firstSeq: 2, count: 2 })
  spool.close()
})

test('a log the server has forgotten is owed as one gap, unless its lines still wait', () => {
  const spool = openLogSpool(testFolder('rm-logs-'), silent)
  const [gone, waits, silentJob] = [newId(), newId(), newId()]
  const block = { firstSeq: 0, count: 2, startedAt: '2026-11-23T07:12:56.534Z', block: '0\to\ta\n0\to\tb\n' }
  for (const jobId of [gone, waits]) spool.keep(jobId, block)
  spool.taken(gone, 2)
  for (const jobId of [gone, gone, waits]) spool.owe(jobId, 1)
  spool.owe(silentJob, -1)
  const owed = spool.oldest(gone) as CutBlock
  expect(decodeBlock(owed)).toMatchObject([{ seq: 0, gap: { count: 2 } }])
  expect(spool.oldest(waits)).toMatchObject(block)
  expect(spool.oldest(silentJob)).toBeUndefined()
  // The server had it all along: it answers what it expects next, and the gap is nothing.
  spool.taken(gone, 2)
  expect(spool.oldest(gone)).toBeUndefined()
  spool.close()
})
