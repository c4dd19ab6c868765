// What a dump promises: all of the database, as it was at one moment, in one file that is whole or not there.
import { createReadStream } from 'node:fs'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { contentsOf, type DumpScene, openDumpScene } from '../testing-dumps.ts'
import { untilOneWaits } from '../testing-database.ts'
import { openDump } from './dump-file.ts'
import { readMigrations } from './dump-migrations.ts'
import { restoreDatabase } from './dump-restore.ts'
import { dumpDatabase } from './dump.ts'
import { connect } from './open.ts'

let scene: DumpScene
beforeAll(async () => {
  scene = await openDumpScene()
})
afterAll(() => scene[Symbol.asyncDispose]())

const make = (name: string, over = {}) =>
  dumpDatabase(scene.database.url, join(scene.folder, name), { version: '1.2.3', ...over })
const restore = async (name: string, url: string) => {
  await using dump = await openDump(join(scene.folder, name))
  await restoreDatabase(url, dump, { fingerprints: [scene.fingerprint] })
}

test('every row of every table comes back as it was, and its file says what is in it', async () => {
  const before = await contentsOf(scene.database.url)
  const { header, bytes } = await make('whole.dump')
  const url = await scene.empty()
  await restore('whole.dump', url)

  expect(await contentsOf(url)).toEqual(before)
  for (const { name, rows } of header.tables)
    expect({ name, rows }).toEqual({ name, rows: before[name]?.length })
  expect(header.tables.map(({ name }) => name)).not.toContain('job_progress')
  expect(header.tables).toHaveLength((readMigrations().at(-1)?.tables.length ?? 0) - 1)
  const seen = await stat(join(scene.folder, 'whole.dump'))
  expect({ size: seen.size, mode: seen.mode & 0o777 }).toEqual({ size: bytes, mode: 0o600 })
  const lines: string[] = []
  for await (const line of createInterface({ input: createReadStream(join(scene.folder, 'whole.dump')) })) {
    lines.push(line)
    if (lines.length === 2) break
  }
  expect(lines[0]).toBe('restic-manager dump 1')
  expect(JSON.parse(lines[1] ?? '')).toMatchObject({ version: '1.2.3', keyFingerprint: scene.fingerprint })
})

test('a file holds no secret that is not sealed and no key', async () => {
  await make('sealed.dump')
  await using open = await openDump(join(scene.folder, 'sealed.dump'))
  const chunks: Buffer[] = []
  for await (const chunk of open.rows()) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString('utf8')
  const sealed = await scene.database.sql<{ sealed: string }[]>`select sealed from credentials`
  expect(sealed.length).toBeGreaterThan(0)
  for (const row of sealed) expect(text).toContain(row.sealed)
})

test('what is written while a dump is made is in it as a whole or not at all', async () => {
  const { sql } = scene.database
  let stopped = false
  let written = 0
  const writing = (async () => {
    // Three tables, always in one transaction.
    while (!stopped) {
      written += 1
      const name = `both ${written}`
      await sql.begin(async tx => {
        await tx`insert into settings (name, value) values (${name}, '1')`
        await tx`insert into sign_in_limits (id, key, count, last_request) values (gen_random_uuid(), ${name}, 1, 1)`
        await tx`insert into chore_turns (name, next_at) values (${name}, now())`
      })
    }
  })()
  const atStart = written
  try {
    await Promise.all([make('a.dump'), make('b.dump'), make('c.dump')])
  } finally {
    stopped = true
    await writing
  }
  expect(written).toBeGreaterThan(atStart)

  for (const name of ['a.dump', 'b.dump', 'c.dump']) {
    const url = await scene.empty()
    await restore(name, url)
    const target = connect(url, { max: 1 })
    const [row] = await target`
      select (select count(*)::int from settings where name like 'both %') as settings,
        (select count(*)::int from sign_in_limits where key like 'both %') as limits,
        (select count(*)::int from chore_turns where name like 'both %') as turns`
    await target.end()
    expect(new Set(Object.values(row ?? {})).size).toBe(1)
  }
  for (const table of ['settings', 'chore_turns'])
    await sql`delete from ${sql(table)} where name like 'both %'`
  await sql`delete from sign_in_limits`
})

test('a table of many megabytes goes through, although it comes faster than it is written', async () => {
  const { sql } = scene.database
  const { jobId, host } = scene
  await sql`insert into log_blocks (day, job_id, host_id, first_seq, count, started_at, block)
    select log_day, ${jobId}, ${host.hostId}, 1000 + n, 1, now(), decode(repeat(md5(n::text), 640), 'hex')
    from jobs, generate_series(1, 1000) n where jobs.id = ${jobId}`
  const { header } = await make('wide.dump')
  await using open = await openDump(join(scene.folder, 'wide.dump'))
  let size = 0
  for await (const chunk of open.rows()) size += chunk.length
  expect(size).toBeGreaterThan(20_000_000)
  expect(header.tables.find(({ name }) => name === 'log_blocks')?.rows).toBeGreaterThan(1_000)
  await sql`delete from log_blocks where first_seq > 1000`
})

test('a dump holds up nobody who writes, and waits for a change of the tables', async () => {
  const { sql, db } = scene.database
  const changing = await sql.reserve()
  await changing`begin`
  await changing`alter table jobs add column passing int`
  const waiting = make('waits.dump')
  await untilOneWaits(db)
  await changing`rollback`
  changing.release()
  expect((await waiting).header.tables.find(({ name }) => name === 'jobs')?.columns).not.toContain('passing')
})

test('a file that is there is not overwritten unless that is wished, and nothing stays behind of a dump that failed', async () => {
  const file = join(scene.folder, 'taken.dump')
  await writeFile(file, 'mine')
  await expect(make('taken.dump')).rejects.toThrow('is there already')
  expect(await readFile(file, 'utf8')).toBe('mine')
  await make('taken.dump', { overwrite: true })
  expect(await readFile(file, 'latin1')).toMatch(/^restic-manager dump 1\n/)

  const stop = new AbortController()
  stop.abort(new Error('Stopped.'))
  await expect(make('stopped.dump', { signal: stop.signal })).rejects.toThrow('abort')
  await expect(make('no-such-folder/x.dump')).rejects.toThrow('no-such-folder')
  const names = await readdir(scene.folder)
  expect(names.filter(name => name.startsWith('.') || name.startsWith('stopped'))).toEqual([])
})

test('a database that no server has used, or a newer one, is told in a sentence', async () => {
  const url = await scene.empty()
  const file = join(scene.folder, 'none.dump')
  await expect(dumpDatabase(url, file, { version: '1.2.3' })).rejects.toThrow('nothing to back up')
  const sql = connect(url, { max: 1 })
  await sql`create schema drizzle`
  await sql`create table drizzle.__drizzle_migrations (id serial primary key, hash text, created_at bigint)`
  await sql`insert into drizzle.__drizzle_migrations (hash, created_at) values ('x', ${Date.now() + 1e12})`
  await sql.end()
  await expect(dumpDatabase(url, file, { version: '1.2.3' })).rejects.toThrow('newer')
})
