// Logs: gapless by number, once each, and read back as they were written.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { encodeGap, encodeLine } from '@restic-manager/contract/log'
import { logBlocks } from '../db/schema-logs.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { connectMachine, makeHost, type TestHost } from '../testing-fleet.ts'
import { appendLog, readLog } from './logs.ts'

let database: TestDatabase
let host: TestHost
beforeAll(async () => {
  database = await testDatabase()
  host = await makeHost(database.db, database.seal)
})
afterAll(() => database.close())

const startedAt = '2026-11-23T07:00:00.000Z'
const blockOf = (jobId: string, firstSeq: number, lines: string[]) => ({
  jobId,
  firstSeq,
  count: lines.length,
  startedAt,
  block: lines.map((line, at) => encodeLine(at, 'stdout', line)).join(''),
})
const append = (block: Parameters<typeof appendLog>[2]) => appendLog(database.db, host.sender, block)
const read = (jobId: string, fromSeq = 0, limit = 1_000) => readLog(database.db, { jobId, fromSeq, limit })

test('blocks in order come back as the lines that were written', async () => {
  const { jobId } = await host.backUp()
  expect(await append(blockOf(jobId, 0, ['one', 'tab\there', 'line\nbreak and \\n']))).toEqual({ nextSeq: 3 })
  expect(await append(blockOf(jobId, 3, ['<b>four</b>']))).toEqual({ nextSeq: 4 })
  expect(await read(jobId)).toMatchObject({
    entries: [
      { seq: 0, ts: Date.parse(startedAt), stream: 'stdout', payload: 'one' },
      { seq: 1, payload: 'tab\there' },
      { seq: 2, payload: 'line\nbreak and \\n' },
      { seq: 3, payload: '<b>four</b>' },
    ],
    nextSeq: 4,
    atEnd: true,
  })
})

test('an old block is ignored, a later one is not kept, and the answer says what is expected', async () => {
  const { jobId } = await host.backUp()
  await append(blockOf(jobId, 0, ['one', 'two']))
  expect(await append(blockOf(jobId, 0, ['one', 'two']))).toEqual({ nextSeq: 2 })
  expect(await append(blockOf(jobId, 1, ['again']))).toEqual({ nextSeq: 2 })
  expect(await append(blockOf(jobId, 9, ['ten']))).toEqual({ nextSeq: 2 })
  expect((await read(jobId)).entries).toHaveLength(2)
})

test('the same block sent many times at once is stored once', async () => {
  const { jobId } = await host.backUp()
  const block = blockOf(jobId, 0, ['one', 'two'])
  const answers = await Promise.all(Array.from({ length: 8 }, () => append(block)))
  expect(answers).toEqual(Array.from({ length: 8 }, () => ({ nextSeq: 2 })))
  expect(await database.db.select().from(logBlocks).where(eq(logBlocks.jobId, jobId))).toHaveLength(1)
})

test('a gap takes its numbers and says how much is not there and why', async () => {
  const { jobId } = await host.backUp()
  const gap = { count: 1_000_000, bytes: 5_000_000, reason: 'the spool of this host was full' }
  await append({ jobId, firstSeq: 0, count: 1_000_000, startedAt, block: encodeGap(5, gap) })
  await append(blockOf(jobId, 1_000_000, ['after']))
  expect(await read(jobId, 17)).toMatchObject({
    entries: [{ seq: 0, gap }, { seq: 1_000_000 }],
    nextSeq: 1_000_001,
    atEnd: true,
  })
})

test.each([
  ['a wrong count', { count: 3 }],
  ['no tabs', { block: 'nonsense\n' }],
  ['an unknown stream', { block: '0\tz\tx\n' }],
  ['a malformed gap', { block: '0\tg\t{"count":-1}\n' }],
  ['a gap that is not JSON', { block: '0\tg\t{\n' }],
])('a block with %s is turned down and nothing of it is kept', async (_, wrong) => {
  const { jobId } = await host.backUp()
  await expect(append({ ...blockOf(jobId, 0, ['one']), ...wrong })).rejects.toMatchObject({
    code: 'bad_input',
  })
  expect(await read(jobId)).toEqual({ entries: [], nextSeq: 0, atEnd: true })
})

test('a long log is read in pages, each where the last ended, without loss', async () => {
  const { jobId } = await host.backUp()
  const lines = Array.from({ length: 5_000 }, (_, at) => `line ${at}`)
  for (let from = 0; from < lines.length; from += 100)
    await append(blockOf(jobId, from, lines.slice(from, from + 100)))
  const seen: string[] = []
  for (let page = await read(jobId, 0, 333); ; page = await read(jobId, page.nextSeq, 333)) {
    expect(page.entries.length).toBeLessThanOrEqual(333)
    seen.push(...page.entries.map(entry => ('payload' in entry ? entry.payload : '')))
    if (page.atEnd) break
  }
  expect(seen).toEqual(lines)
})

test('a page of very long lines stays small', async () => {
  const { jobId } = await host.backUp()
  const long = 'x'.repeat(16 * 1024)
  for (let from = 0; from < 200; from += 4) await append(blockOf(jobId, from, [long, long, long, long]))
  const page = await read(jobId, 0, 5_000)
  expect(page.entries.length).toBeLessThan(100)
  expect(page.atEnd).toBe(false)
})

test('nobody writes into the log of another host, or under an older session', async () => {
  const other = await makeHost(database.db, database.seal, 'evil-1')
  const { jobId } = await host.backUp()
  const forged = appendLog(database.db, other.sender, blockOf(jobId, 0, ['forged']))
  await expect(forged).rejects.toMatchObject({ code: 'job_not_found' })
  await expect(append(blockOf(newId(), 0, ['unknown']))).rejects.toMatchObject({ code: 'job_not_found' })

  const { jobId: theirs } = await other.backUp()
  await connectMachine(database.db, other.machine)
  const late = appendLog(database.db, other.sender, blockOf(theirs, 0, ['late']))
  await expect(late).rejects.toMatchObject({ code: 'session_fenced' })
  expect((await read(jobId)).entries).toHaveLength(0)
})
