// Blocks of many jobs are stored in one statement, and each as if it were alone.
import { drizzle } from 'drizzle-orm/postgres-js'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeLine, MAX_BLOCK_BYTES } from '@restic-manager/contract/log'
import { until } from '@restic-manager/testkit/until'
import { startBus } from '../db/bus.ts'
import { connect, type Db } from '../db/open.ts'
import { jobs } from '../db/schema.ts'
import { removedLogDays } from '../db/schema-logs.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { connectMachine, makeHost, type TestHost } from '../testing-fleet.ts'
import type { Sender } from './facts.ts'
import { appendLog, readLog } from './logs.ts'

let database: TestDatabase
let host: TestHost
let asked: string[] = []
let client: ReturnType<typeof connect>
/** The same database, which notes what it is asked. */
let noted: Db
beforeAll(async () => {
  database = await testDatabase()
  host = await makeHost(database.db, database.seal)
  client = connect(database.url, { max: 2 })
  noted = drizzle(client, { logger: { logQuery: query => void asked.push(query) } }) as unknown as Db
})
afterAll(async () => {
  await client.end()
  await database.close()
})

const startedAt = '2026-11-23T07:00:00.000Z'
const append = (
  jobId: string,
  firstSeq: number,
  lines: string[],
  sender: Sender = host.sender,
  db = database.db,
) =>
  appendLog(db, sender, {
    ...{ jobId, firstSeq, count: lines.length, startedAt },
    block: lines.map((line, at) => encodeLine(at, 'stdout', line)).join(''),
  })
const linesOf = async (jobId: string) =>
  (await readLog(database.db, { jobId, fromSeq: 0, limit: 1_000 })).entries.map(entry =>
    'payload' in entry ? entry.payload : entry.gap,
  )
const makeJobs = async (count: number) => {
  const ids: string[] = []
  for (let made = 0; made < count; made += 1) ids.push((await host.backUp()).jobId)
  return ids
}

test('blocks that come at the same time are stored in one statement, each in its own log', async () => {
  const [first, ...ids] = (await makeJobs(9)) as [string, ...string[]]
  // The place for this day is made with the first block.
  await append(first, 0, ['first'])
  asked = []
  const answers = await Promise.all(
    ids.map((id, at) => append(id, 0, [`${at}: größer`, 'x'.repeat(at)], host.sender, noted)),
  )
  expect(answers).toEqual(ids.map(() => ({ nextSeq: 2 })))
  expect(asked.filter(query => query.includes('log_blocks'))).toHaveLength(1)
  for (const [at, id] of ids.entries()) expect(await linesOf(id)).toEqual([`${at}: größer`, 'x'.repeat(at)])
})

test('of blocks that come together, whoever may not write writes nothing, and the others do', async () => {
  const [good, stale, early, foreign] = (await makeJobs(4)) as [string, string, string, string]
  const other = await makeHost(database.db, database.seal, 'evil-1')
  const { jobId: theirs } = await other.backUp()
  await connectMachine(database.db, other.machine)
  const answers = await Promise.allSettled([
    append(good, 0, ['good']),
    append(theirs, 0, ['of an older session'], other.sender),
    append(foreign, 0, ['of another host'], { ...other.sender, session: other.sender.session + 1 }),
    append(stale, 0, ['of another timeline'], { ...host.sender, timeline: '0000FFFF' }),
    append(early, 5, ['too early']),
  ])
  expect(answers).toMatchObject([
    { value: { nextSeq: 1 } },
    { reason: { code: 'session_fenced' } },
    { reason: { code: 'job_not_found' } },
    { reason: { code: 'session_fenced' } },
    { value: { nextSeq: 0 } },
  ])
  expect(await linesOf(good)).toEqual(['good'])
  for (const id of [stale, early, foreign, theirs]) expect(await linesOf(id)).toEqual([])
})

test('blocks of one job that come together are stored in their order, once each', async () => {
  const [jobId] = (await makeJobs(1)) as [string]
  const seqs = [0, 1, 1, 0, 2]
  const answers = await Promise.all(seqs.map(seq => append(jobId, seq, [`line ${seq}`])))
  for (let seq = Math.max(...answers.map(({ nextSeq }) => nextSeq)); seq < 3; seq += 1)
    await append(jobId, seq, [`line ${seq}`])
  expect(await linesOf(jobId)).toEqual(['line 0', 'line 1', 'line 2'])
})

test('nobody waits for a job that somebody else holds', async () => {
  const [free, held] = (await makeJobs(2)) as [string, string]
  const let_go = Promise.withResolvers<void>()
  const holding = Promise.withResolvers<void>()
  const holder = database.db.transaction(async tx => {
    await tx.select().from(jobs).where(eq(jobs.id, held)).for('update')
    holding.resolve()
    await let_go.promise
  })
  await holding.promise
  const late = append(held, 0, ['held'])
  expect(await append(free, 0, ['free'])).toEqual({ nextSeq: 1 })
  expect(await linesOf(held)).toEqual([])
  let_go.resolve()
  await holder
  expect(await late).toEqual({ nextSeq: 1 })
  expect(await linesOf(held)).toEqual(['held'])
})

test('blocks of a day that was removed are counted, each, and those beside them are kept', async () => {
  const [kept, ...gone] = (await makeJobs(4)) as [string, ...string[]]
  const day = '2020-02-02'
  await database.db.insert(removedLogDays).values({ day, keptDays: 30 })
  for (const id of gone) await database.db.update(jobs).set({ logDay: day }).where(eq(jobs.id, id))
  const answers = await Promise.all([kept, ...gone].map(id => append(id, 0, ['one'])))
  expect(answers).toEqual([1, 1, 1, 1].map(nextSeq => ({ nextSeq })))
  expect(await linesOf(kept)).toEqual(['one'])
  const [removed] = await database.db.select().from(removedLogDays).where(eq(removedLogDays.day, day))
  expect(removed).toMatchObject({ lateBlocks: 3 })
})

test('a block whose text takes more bytes than characters comes back as it was', async () => {
  const [jobId] = (await makeJobs(1)) as [string]
  const lines = Array.from({ length: 8 }, (_, at) => `${at} ${'€'.repeat(MAX_BLOCK_BYTES / 8)}`)
  await append(jobId, 0, lines)
  await append(jobId, 8, ['after'])
  expect(await linesOf(jobId)).toEqual([...lines, 'after'])
})

test('whoever reads a log is told of every block that is added to it', async () => {
  const [one, two] = (await makeJobs(2)) as [string, string]
  const bus = await startBus(database.sql)
  try {
    const heard = new Set<string>()
    const stopped = new AbortController()
    const listening = (async () => {
      for await (const { changes } of bus.wakeups([{ topic: 'log' }], stopped.signal))
        for (const { id } of changes) heard.add(id)
    })()
    for (const seq of [0, 1]) {
      heard.clear()
      await Promise.all([append(one, seq, ['x']), append(two, seq, ['y'])])
      await until(() => heard.has(one) && heard.has(two))
    }
    stopped.abort()
    await listening
  } finally {
    await bus.close()
  }
})
