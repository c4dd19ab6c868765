// What PostgreSQL, postgres.js and Drizzle do, as the database code relies on it.
import { startTcpProxy } from '@restic-manager/testkit/tcp-proxy'
import { until } from '@restic-manager/testkit/until'
import { sql as fragment } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate } from 'drizzle-orm/postgres-js/migrator'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type postgres from 'postgres'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { connect as open } from '../db/open.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await testDatabase()
})
afterAll(async () => database.close())

/** A client with none of the limits of ours. */
function connect(options: postgres.Options<Record<string, never>> = {}) {
  const sql = open(database.url, { max: 2, ...options })
  onTestFinished(() => sql.end({ timeout: 1 }))
  return sql
}

async function makeTable(sql: postgres.Sql, name: string) {
  await sql`create table ${sql(name)} (n int primary key)`
}

test('int8, counts, sums and numeric arrive as strings', async () => {
  const [row] =
    await connect()`select 1::int8 as big, count(*) as count, sum(n) as sum, 1.50::numeric as exact, 1::int4 as small from generate_series(1, 3) n`
  expect(row).toEqual({ big: '1', count: '3', sum: '6', exact: '1.50', small: 1 })
})

test('a time arrives with milliseconds only, so a column that keeps more loses rows in a keyset', async () => {
  const sql = connect()
  const [row] = await sql<[{ kept: Date }]>`select '2026-11-23 16:00:00.123456Z'::timestamptz as kept`
  expect(row.kept.toISOString()).toBe('2026-11-23T16:00:00.123Z')
  const [lost] = await sql`select '2026-11-23 16:00:00.123456Z'::timestamptz <= ${row.kept} as found`
  expect(lost).toEqual({ found: false })
  const [rounded] =
    await sql`select '2026-11-23 16:00:00.1236Z'::timestamptz(3) <= ${new Date('2026-11-23T16:00:00.124Z')} as found`
  expect(rounded).toEqual({ found: true })
})

test('a client that Drizzle wraps no longer parses times, one of its own does', async () => {
  const wrapped = connect()
  drizzle(wrapped)
  expect(typeof (await wrapped`select now() as now`)[0]?.now).toBe('string')
  expect((await connect()`select now() as now`)[0]?.now).toBeInstanceOf(Date)
})

test('a notification of 8,000 bytes aborts its transaction, one of 7,999 does not', async () => {
  const sql = connect()
  await makeTable(sql, 'told')
  const tell = (n: number, bytes: number) =>
    sql.begin(async tx => {
      await tx`insert into told values (${n})`
      await tx`select pg_notify('facts', ${'x'.repeat(bytes)})`
    })
  await tell(1, 7999)
  await expect(tell(2, 8000)).rejects.toThrow('payload string too long')
  expect(await sql`select n from told`).toEqual([{ n: 1 }])
})

test('a notification comes only when its transaction commits, and equal ones of a transaction come once', async () => {
  const sql = connect()
  const heard: string[] = []
  await sql.listen('facts', payload => heard.push(payload))
  await sql
    .begin(async tx => {
      await tx`select pg_notify('facts', 'rolled back')`
      throw new Error('no')
    })
    .catch(() => {})
  await sql.begin(async tx => {
    for (const payload of ['same', 'same', 'other']) await tx`select pg_notify('facts', ${payload})`
  })
  await until(() => heard.includes('other'))
  expect(heard).toEqual(['same', 'other'])
})

test('a listener whose connection is cut listens again by itself, calls onlisten again, and misses what was said between', async () => {
  const address = new URL(database.url)
  const folder = address.searchParams.get('host')
  const port = Number(address.port || 5432)
  await using proxy = await startTcpProxy(folder === null ? { port } : { path: `${folder}/.s.PGSQL.${port}` })
  address.searchParams.delete('host')
  address.host = `127.0.0.1:${proxy.port}`
  const sql = open(address.href, { max: 1, backoff: () => 0 })
  onTestFinished(() => sql.end({ timeout: 0 }))
  const teller = connect({ max: 1 })
  const heard: string[] = []
  let listening = 0
  await sql.listen(
    'lost',
    payload => heard.push(payload),
    () => {
      listening += 1
    },
  )
  expect(listening).toBe(1)
  await proxy.set('refuse')
  proxy.dropAll()
  await teller`select pg_notify('lost', 'between')`
  await proxy.set('pass')
  await until(() => listening === 2)
  await teller`select pg_notify('lost', 'after')`
  await until(() => heard.length)
  expect(heard).toEqual(['after'])
})

test('the outer client inside begin waits for ever when the pool holds one connection', async () => {
  const sql = open(database.url, { max: 1, connection: { application_name: 'stuck' } })
  const ending = sql
    .begin(async () => sql`select 1`)
    .then(
      () => 'done',
      () => 'cut off',
    )
  const watcher = connect()
  await until(async () => {
    const [row] = await watcher`select state, query from pg_stat_activity where application_name = 'stuck'`
    return row?.state === 'idle in transaction' && row.query.startsWith('begin')
  })
  await sql.end({ timeout: 0 })
  expect(await ending).toBe('cut off')
})

test('statement_timeout set on the connection cancels a statement with 57014', async () => {
  const sql = connect({ connection: { statement_timeout: 20 } })
  await expect(sql`select pg_sleep(60)`).rejects.toMatchObject({ code: '57014' })
})

test('idle_in_transaction_session_timeout ends a transaction that does nothing, and frees its locks', async () => {
  const sql = connect()
  const other = connect()
  await makeTable(other, 'idle')
  const locked = Promise.withResolvers<void>()
  const idle = Promise.withResolvers<void>()
  const transaction = sql
    .begin(async tx => {
      await tx`lock table idle`
      await tx`set local idle_in_transaction_session_timeout = 20`
      locked.resolve()
      await idle.promise
      await tx`select 1`
    })
    .catch(() => 'ended')
  await locked.promise
  expect(await other`select count(*)::int as count from idle`).toEqual([{ count: 0 }])
  idle.resolve()
  expect(await transaction).toBe('ended')
})

test('an advisory lock of a session goes with its backend', async () => {
  const holder = connect({ max: 1, connection: { application_name: 'holder' } })
  const other = connect()
  await holder`select pg_advisory_lock(77)`
  expect(await other`select pg_try_advisory_lock(77) as got`).toEqual([{ got: false }])
  await other`select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'holder'`
  expect(await other`select pg_try_advisory_lock(77) as got`).toEqual([{ got: true }])
})

test('a conflict keeps its SQLSTATE, under cause when Drizzle is between', async () => {
  const sql = connect()
  await makeTable(sql, 'twice')
  await sql`insert into twice values (1)`
  await expect(sql`insert into twice values (1)`).rejects.toMatchObject({ code: '23505' })
  const wrapped = drizzle(connect())
  await expect(wrapped.execute(fragment`insert into twice values (1)`)).rejects.toMatchObject({
    cause: { code: '23505' },
  })
})

test("Drizzle's error message holds the parameters of the statement", async () => {
  const wrapped = drizzle(connect())
  await expect(wrapped.execute(fragment`select ${'hunter2'}::int`)).rejects.toThrow('hunter2')
})

test('a migration older than the last one applied is skipped without a word', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'migrations-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'meta'))
  const write = (...names: [tag: string, when: number][]) => {
    for (const [tag] of names) writeFileSync(join(folder, `${tag}.sql`), `create table ${tag} (n int)`)
    const entries = names.map(([tag, when], idx) => ({ idx, version: '7', when, tag, breakpoints: true }))
    writeFileSync(
      join(folder, 'meta', '_journal.json'),
      JSON.stringify({ version: '7', dialect: 'postgresql', entries }),
    )
  }
  const sql = connect()
  const run = () => migrate(drizzle(sql), { migrationsFolder: folder, migrationsSchema: 'facts_of_migrate' })
  write(['m_first', 2000])
  await run()
  write(['m_first', 2000], ['m_late_with_an_early_time', 1000])
  await run()
  expect(
    await sql`select to_regclass('m_first')::text as first, to_regclass('m_late_with_an_early_time')::text as late`,
  ).toEqual([{ first: 'm_first', late: null }])
})
