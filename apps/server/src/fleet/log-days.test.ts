// Days of logs: made before they are needed or when they are, dropped whole, and never missed by who reads or writes.
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { eq, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate } from 'drizzle-orm/postgres-js/migrator'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeLine } from '@restic-manager/contract/log'
import { migrateDatabase, migrationsFolder } from '../db/migrate.ts'
import { connect, openDatabase } from '../db/open.ts'
import { jobs } from '../db/schema.ts'
import { logBlocks, removedLogDays } from '../db/schema-logs.ts'
import { testDatabase, untilOneWaits, type TestDatabase } from '../testing-database.ts'
import { makeHost, type TestHost } from '../testing-fleet.ts'
import { viewJob } from './job-views.ts'
import { ensureLogDay, logDaySizes, makeLogDay, turnLogDays } from './log-days.ts'
import { appendLog, readLog } from './logs.ts'
import { readLogDays, updateSettings } from './settings.ts'

let database: TestDatabase
let host: TestHost
beforeAll(async () => {
  database = await testDatabase()
  host = await makeHost(database.db, database.seal)
})
afterAll(() => database.close())

const startedAt = '2026-11-23T07:00:00.000Z'
const line = (text: string) => encodeLine(0, 'stdout', text)
const append = (jobId: string, firstSeq: number, text: string) =>
  appendLog(database.db, host.sender, { jobId, firstSeq, count: 1, startedAt, block: line(text) })
const read = (jobId: string) => readLog(database.db, { jobId, fromSeq: 0, limit: 1_000 })
const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)
const daysThere = async () => (await logDaySizes(database.db)).map(({ day }) => day)

/** A job whose first line came some days ago. */
async function jobOf(day: string): Promise<string> {
  const { jobId } = await host.backUp()
  await database.db.update(jobs).set({ logDay: day }).where(eq(jobs.id, jobId))
  await append(jobId, 0, `of ${day}`)
  return jobId
}

test('a first line finds no place for its day, and makes it once, however many come at once', async () => {
  expect(await daysThere()).toEqual([])
  const some = await Promise.all(Array.from({ length: 6 }, () => host.backUp()))
  await Promise.all(some.map(({ jobId }, at) => append(jobId, 0, `line of ${at}`)))
  expect(await daysThere()).toEqual([daysAgo(0)])
  for (const [at, { jobId }] of some.entries())
    expect(await read(jobId)).toMatchObject({ entries: [{ seq: 0, payload: `line of ${at}` }], atEnd: true })
})

test('days are made ahead, once, by however many servers, and in the transaction of whoever asks', async () => {
  const turns = await Promise.all([turnLogDays(database.db), turnLogDays(database.db)])
  expect(turns).toEqual([{ removed: [] }, { removed: [] }])
  expect(await daysThere()).toEqual(Array.from({ length: 8 }, (_, ahead) => daysAgo(-ahead)))
  const undone = database.db.transaction(async tx => {
    await ensureLogDay(tx, '2031-01-31')
    await ensureLogDay(tx, '2031-01-31')
    throw new Error('undone')
  })
  await expect(undone).rejects.toThrow('undone')
  expect(await daysThere()).toHaveLength(8)
  await expect(ensureLogDay(database.db, `2031-01-31'); drop table jobs; --`)).rejects.toThrow('not a day')
})

test('a whole log stays with the day of its first line', async () => {
  const jobId = await jobOf(daysAgo(3))
  await append(jobId, 1, 'days later')
  const rows = await database.db.select().from(logBlocks).where(eq(logBlocks.jobId, jobId))
  expect(rows.map(({ day }) => day)).toEqual([daysAgo(3), daysAgo(3)])
  expect((await read(jobId)).entries).toHaveLength(2)
})

test('reading and appending look into one day, by its key', async () => {
  const jobId = await jobOf(daysAgo(3))
  const [job] = await database.db.select({ day: jobs.logDay }).from(jobs).where(eq(jobs.id, jobId))
  const plan = await database.db.execute(sql`explain select * from log_blocks
    where day = ${job?.day} and job_id = ${jobId} and first_seq >= 0 order by first_seq limit 16`)
  const text = plan.map(row => row['QUERY PLAN']).join('\n')
  expect(text).toContain(`log_blocks_${daysAgo(3).replaceAll('-', '')}_pkey`)
  expect(text.match(/Scan/g)).toHaveLength(1)
})

test('days older than the setting are dropped whole, others are not touched, and a dropped log says so', async () => {
  const { db } = database
  const [old, edge] = [await jobOf(daysAgo(31)), await jobOf(daysAgo(30))]
  await makeLogDay(db, daysAgo(400))
  expect(await readLogDays(db)).toBe(30)
  expect(await turnLogDays(db)).toEqual({ removed: [daysAgo(400), daysAgo(31)] })
  expect(await daysThere()).not.toContain(daysAgo(31))
  expect(await read(edge)).toMatchObject({ entries: [{ payload: `of ${daysAgo(30)}` }] })
  expect(await viewJob(db, edge)).toMatchObject({ logRemovedAfterDays: null })
  expect(await viewJob(db, old)).toMatchObject({ logRemovedAfterDays: 30, receivedLogSeq: 0 })
  expect(await read(old)).toMatchObject({
    entries: [{ seq: 0, gap: { count: 1, reason: 'the logs of this day were removed after 30 days' } }],
    nextSeq: 1,
    atEnd: true,
  })
  expect(await turnLogDays(db)).toEqual({ removed: [] })
})

test('no day is dropped while the clocks of database and server are more than a day apart, whichever is wrong', async () => {
  const { db } = database
  const jobId = await jobOf(daysAgo(35))
  for (const apartMs of [-40, 40].map(days => days * 86_400_000)) {
    const turned = await turnLogDays(db, () => Date.now() - apartMs)
    expect(turned).toMatchObject({ removed: [] })
    expect(Math.abs((turned.clocksApartMs ?? 0) - apartMs)).toBeLessThan(86_400_000)
  }
  expect(await read(jobId)).toMatchObject({ entries: [{ payload: `of ${daysAgo(35)}` }] })
  expect(await turnLogDays(db, () => Date.now() + 20 * 3_600_000)).toEqual({ removed: [daysAgo(35)] })
})

test('lines that come after their day was dropped are counted and let go, and the host goes on', async () => {
  const { db } = database
  const jobId = await jobOf(daysAgo(60))
  await turnLogDays(db)
  expect(await append(jobId, 1, 'late')).toEqual({ nextSeq: 2 })
  expect(await append(jobId, 1, 'late')).toEqual({ nextSeq: 2 })
  expect(await append(jobId, 2, 'later')).toEqual({ nextSeq: 3 })
  expect(await daysThere()).not.toContain(daysAgo(60))
  const [day] = await db
    .select()
    .from(removedLogDays)
    .where(eq(removedLogDays.day, daysAgo(60)))
  expect(day).toMatchObject({ keptDays: 30, lateBlocks: 2 })
  // However many come: the number stops where the database has no greater one, and the host goes on.
  const most = 2_147_483_647
  await db.update(removedLogDays).set({ lateBlocks: most })
  expect(await append(jobId, 3, 'too many to count')).toEqual({ nextSeq: 4 })
  expect(await db.select({ n: removedLogDays.lateBlocks }).from(removedLogDays)).toContainEqual({ n: most })
  // More is kept from now on: what is gone stays gone.
  await updateSettings(db, { logDays: 90 })
  expect(await append(jobId, 4, 'later still')).toEqual({ nextSeq: 5 })
  expect(await daysThere()).not.toContain(daysAgo(60))
  await updateSettings(db, { logDays: 30 })
})

test('the log of a job that still runs is kept, however old its first line', async () => {
  const { db } = database
  const jobId = await jobOf(daysAgo(45))
  await db.update(jobs).set({ status: 'running' }).where(eq(jobs.id, jobId))
  expect(await turnLogDays(db)).toEqual({ removed: [] })
  await db.update(jobs).set({ status: 'succeeded' }).where(eq(jobs.id, jobId))
  expect(await turnLogDays(db)).toEqual({ removed: [daysAgo(45)] })
})

test('while somebody is in the way of a new day, those who write wait for a moment only', async () => {
  const { db, sql: plain } = database
  const [first, second] = [await host.backUp(), await host.backUp()]
  const hold = Promise.withResolvers<void>()
  const held = Promise.withResolvers<void>()
  const holding = plain.begin(async tx => {
    await tx`lock table jobs in row exclusive mode`
    held.resolve()
    await hold.promise
  })
  await held.promise
  const making = makeLogDay(db, daysAgo(-20))
  await untilOneWaits(db)
  await append(first.jobId, 0, 'in between')
  hold.resolve()
  await holding
  await making
  expect(await daysThere()).toContain(daysAgo(-20))
  await append(second.jobId, 0, 'after')
})

test('logs of before there were days are read as they were written after the migration', async () => {
  const name = `before_days_${Date.now()}`
  await database.sql`create database ${database.sql(name)}`
  const url = new URL(database.url)
  url.pathname = `/${name}`
  const folder = await mkdtemp('/tmp/rm-before-days-')
  try {
    await cp(migrationsFolder(), folder, { recursive: true })
    const journal = join(folder, 'meta/_journal.json')
    const all = JSON.parse(await readFile(journal, 'utf8')) as { entries: { tag: string }[] }
    const entries = all.entries.filter(({ tag }) => tag < '0009')
    await writeFile(journal, JSON.stringify({ ...all, entries }))
    const old = connect(url.href, { max: 1 })
    await migrate(drizzle(old), { migrationsFolder: folder })
    const [hostId, repositoryId] = [crypto.randomUUID(), crypto.randomUUID()]
    const ids = Array.from({ length: 3 }, () => crypto.randomUUID())
    await old`insert into hosts (id, name, hostname, public_key) values (${hostId}, 'h', 'h', 'k')`
    for (const [at, id] of ids.entries()) {
      await old`insert into jobs (id, host_id, repository_id, kind, status, spec, released_at, next_log_seq)
        values (${id}, ${hostId}, ${repositoryId}, 'backup', 'succeeded', '{}', now(), ${at === 2 ? 0 : 2})`
      for (let seq = 0; seq < (at === 2 ? 0 : 2); seq += 1)
        await old`insert into log_blocks (job_id, host_id, first_seq, count, started_at, block, received_at)
          values (${id}, ${hostId}, ${seq}, 1, ${startedAt}, ${zstdCompressSync(line(`${at}.${seq}`))},
            ${`2026-11-${10 + at}T23:59:59.${seq}Z`}::timestamptz + ${seq} * interval '2 seconds')`
    }
    await old.end()
    await migrateDatabase(url.href)
    const { db, close } = openDatabase(url.href, { max: 2 })
    expect((await logDaySizes(db)).map(({ day }) => day)).toEqual(['2026-11-10', '2026-11-11'])
    const texts = await Promise.all(
      ids.map(async jobId => {
        const { entries } = await readLog(db, { jobId, fromSeq: 0, limit: 10 })
        return entries.map(entry => ('payload' in entry ? entry.payload : 'gap'))
      }),
    )
    expect(texts).toEqual([['0.0', '0.1'], ['1.0', '1.1'], []])
    const forged = db.insert(logBlocks).values({
      ...{ day: '2026-11-10', jobId: ids[0] as string, hostId: crypto.randomUUID(), firstSeq: 9, count: 1 },
      ...{ startedAt: new Date(), block: Buffer.from('') },
    })
    await expect(forged).rejects.toMatchObject({ cause: { code: '23503' } })
    await db.execute(sql`delete from hosts`)
    expect(await db.select().from(logBlocks)).toEqual([])
    await close()
  } finally {
    await database.sql`drop database if exists ${database.sql(name)} with (force)`
    await rm(folder, { recursive: true, force: true })
  }
})
