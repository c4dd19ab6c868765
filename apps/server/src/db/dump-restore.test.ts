// What a restore promises: all of the dump is there, or nothing was changed and a sentence says why.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '@restic-manager/testkit/until'
import { contentsOf, type DumpScene, forgeDump, openDumpScene } from '../testing-dumps.ts'
import { openDump } from './dump-file.ts'
import { applyMigrations, readMigrations } from './dump-migrations.ts'
import { restoreDatabase } from './dump-restore.ts'
import { inOneTransaction } from './dump-transaction.ts'
import { dumpDatabase } from './dump.ts'
import { connect } from './open.ts'
import { createReadyCheck } from './ready.ts'

let scene: DumpScene
let content: Record<string, string[]>
beforeAll(async () => {
  scene = await openDumpScene()
  await dumpDatabase(scene.database.url, at('fleet.dump'), { version: '1.2.3' })
  content = await contentsOf(scene.database.url)
})
afterAll(() => scene[Symbol.asyncDispose]())

const at = (name: string) => join(scene.folder, name)
const restore = async (url: string, name = 'fleet.dump', over = {}) => {
  await using dump = await openDump(at(name))
  await restoreDatabase(url, dump, { fingerprints: [scene.fingerprint], ...over })
}

async function ask<T extends object>(url: string, query: string): Promise<T[]> {
  const sql = connect(url, { max: 1, connection: { application_name: 'psql' } })
  try {
    return [...(await sql.unsafe<T[]>(query))]
  } finally {
    await sql.end()
  }
}

/** Nothing at all: no table, no schema of migrations. */
const isUntouched = async (url: string) =>
  (await ask(url, `select 1 from pg_class where relnamespace = 'public'::regnamespace`)).length === 0 &&
  (await ask(url, `select 1 from pg_namespace where nspname = 'drizzle'`)).length === 0

test('a restored database is ready for a server, and no number of a session is given twice', async () => {
  const url = await scene.empty()
  await restore(url)
  expect(await contentsOf(url)).toEqual(content)
  const check = createReadyCheck(url)
  expect(await check.ask()).toBeUndefined()
  await check.close()

  const fenced = await ask(url, 'select distinct session_number::int as number, online from hosts')
  expect(fenced).toEqual([{ number: 0, online: false }])
  const [row] = await ask<{ old: string; next: string }>(
    url,
    `insert into agent_sessions (host_id, id) select id, gen_random_uuid() from hosts limit 1
     returning number as next, (select max(number) from agent_sessions) as old`,
  )
  expect(Number(row?.next)).toBeGreaterThan(Number(row?.old) + 1_000_000)
  expect(Number.isSafeInteger(Number(row?.next))).toBe(true)

  const again = await scene.empty()
  await restore(again)
  const [later] = await ask<{ next: string }>(
    again,
    `select nextval(pg_get_serial_sequence('agent_sessions', 'number')) as next`,
  )
  expect(Number(later?.next)).toBeGreaterThan(Number(row?.next))
})

test('every foreign key and every check is there again, and holds', async () => {
  const url = await scene.empty()
  await restore(url)
  const query = `select conrelid::regclass::text || ' ' || conname || ' ' || pg_get_constraintdef(oid) as rule, convalidated
    from pg_constraint where connamespace = 'public'::regnamespace order by 1`
  const rules = await ask<{ rule: string; convalidated: boolean }>(url, query)
  expect(rules).toEqual(await ask(scene.database.url, query))
  expect(rules.filter(({ rule }) => rule.includes('FOREIGN KEY')).length).toBeGreaterThan(10)
  expect(rules.every(({ convalidated }) => convalidated)).toBe(true)
})

test('a log in the partitions of several days comes back in the same partitions', async () => {
  const { sql } = scene.database
  const days = ['2026-01-31', '2026-02-01', '2027-12-31']
  const { jobId, host } = scene
  try {
    for (const day of days) {
      await sql`create table ${sql(`log_blocks_${day.replaceAll('-', '')}`)} (like log_blocks including all)`
      await sql.unsafe(
        `alter table log_blocks attach partition log_blocks_${day.replaceAll('-', '')} for values from ('${day}') to (date '${day}' + 1)`,
      )
      await sql`insert into log_blocks (day, job_id, host_id, first_seq, count, started_at, block)
        values (${day}, ${jobId}, ${host.hostId}, 99, 1, now(), ${Buffer.from([0, 255, 92, 10])})`
    }
    await dumpDatabase(scene.database.url, at('days.dump'), { version: '1.2.3' })
    const url = await scene.empty()
    await restore(url, 'days.dump')
    const query = `select tableoid::regclass::text as part, day::text, job_id, first_seq, block from log_blocks order by 1, 4`
    const rows = await ask<{ part: string }>(url, query)
    expect(rows).toEqual(await ask(scene.database.url, query))
    expect(new Set(rows.map(({ part }) => part)).size).toBe(4)
    const bounds = `select relname, pg_get_expr(relpartbound, oid) as bound from pg_class
      where relispartition and relkind = 'r' and relnamespace = 'public'::regnamespace order by 1`
    expect(await ask(url, bounds)).toEqual(await ask(scene.database.url, bounds))
  } finally {
    for (const day of days) await sql`drop table ${sql(`log_blocks_${day.replaceAll('-', '')}`)}`
  }
})

test('a value of several megabytes comes back as it was', async () => {
  const { sql } = scene.database
  await sql`insert into settings (name, value) values ('big', to_jsonb(repeat('a "quoted" line\n\\', 150000)))`
  await dumpDatabase(scene.database.url, at('big.dump'), { version: '1.2.3' })
  const url = await scene.empty()
  await restore(url, 'big.dump')
  const query = `select length(value::text) as length, md5(value::text) as hash from settings where name = 'big'`
  const seen = await ask<{ length: number }>(url, query)
  expect(seen).toEqual(await ask(scene.database.url, query))
  expect(seen[0]?.length).toBeGreaterThan(3_000_000)
  await sql`delete from settings where name = 'big'`
})

test('a restore whose connection dies when all the rows are in changes nothing, and can be made again', async () => {
  const url = await scene.empty()
  const holder = connect(url, { max: 1, connection: { application_name: 'psql' } })
  await holder`select pg_advisory_lock(1)`
  await holder`create schema gate`
  await holder.unsafe(`create function gate.hold() returns event_trigger language plpgsql as $$
    declare filled boolean;
    begin
      if to_regclass('hosts') is null then return; end if;
      execute 'select exists (select from hosts)' into filled;
      if filled then perform pg_advisory_xact_lock(1); end if;
    end $$`)
  await holder`create event trigger hold on ddl_command_start execute function gate.hold()`
  const dying = restore(url).catch((error: unknown) => error)
  await until(
    () => holder`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`,
    killed => killed.length > 0,
  )
  expect(String(await dying)).toMatch(/CONNECTION|terminat|EPIPE|ECONNRESET/)
  await holder`drop event trigger hold`
  await holder.end()
  expect(await isUntouched(url)).toBe(true)
  await restore(url)
  expect(await contentsOf(url)).toEqual(content)
})

test('a file that is damaged, cut short or of something else is refused before anything is changed', async () => {
  const whole = await readFile(at('fleet.dump'))
  const header = whole.indexOf('\n', 30)
  const flipped = (position: number) => {
    const copy = Buffer.from(whole)
    copy.writeUInt8(copy.readUInt8(position) ^ 1, position)
    return copy
  }
  const bad: [string, Buffer, RegExp][] = [
    ['first byte', flipped(0), /not a dump/],
    ['format', flipped(20), /damaged|newer|not a dump/],
    ['header', flipped(40), /damaged/],
    ['end of the header', flipped(header), /damaged/],
    ['first row', flipped(header + 1), /damaged/],
    ['middle', flipped((header + whole.length) >> 1), /damaged/],
    ['last row', flipped(whole.length - 75), /damaged/],
    ['checksum', flipped(whole.length - 20), /damaged/],
    ['last byte', flipped(whole.length - 1), /damaged/],
    ['cut by a byte', whole.subarray(0, -1), /damaged/],
    ['cut by a checksum', whole.subarray(0, -73), /damaged/],
    ['cut in half', whole.subarray(0, whole.length / 2), /damaged/],
    ['cut in its header', whole.subarray(0, 40), /damaged/],
    ['cut in its title', whole.subarray(0, 10), /not a dump/],
    ['empty', Buffer.alloc(0), /not a dump/],
    ['longer', Buffer.concat([whole, Buffer.from('\n')]), /damaged/],
    ['of another program', Buffer.from('-- PostgreSQL database dump\n'.repeat(9)), /not a dump/],
  ]
  const url = await scene.empty()
  for (const [what, bytes, why] of bad) {
    await writeFile(at('bad.dump'), bytes)
    await expect(restore(url, 'bad.dump'), what).rejects.toThrow(why)
  }
  await expect(restore(url, 'missing.dump')).rejects.toThrow('cannot be read (ENOENT)')
  await expect(restore(url, '.')).rejects.toThrow(/EISDIR|cannot be read/)
  expect(await isUntouched(url)).toBe(true)
})

test('a file whose rows do not fit is refused as a whole, even if its checksum fits', async () => {
  const url = await scene.empty()
  const forge = (over: Parameters<typeof forgeDump>[2]) =>
    forgeDump(at('fleet.dump'), at('forged.dump'), over)
  const hostId = scene.host.hostId
  const cases: [Parameters<typeof forgeDump>[2], RegExp][] = [
    // Only the table of hosts has its id at the beginning of a line: everything else points nowhere then.
    [
      { rows: rows => rows.replace(`\n${hostId}\tweb-1`, `\n${crypto.randomUUID()}\tweb-1`) },
      /do not fit each other/,
    ],
    [{ rows: rows => rows.slice(0, -1) }, /end too early/],
    [{ rows: rows => `${rows}one more\n` }, /more rows/],
    [{ rows: rows => rows.replace(hostId, 'no id') }, /rows of .* cannot be taken in/],
    [{ rows: rows => rows.replace('\t', '') }, /rows of .* cannot be taken in/],
    [{ header: header => ({ ...header, tables: header.tables.slice(1) }) }, /does not hold the tables/],
    [
      {
        header: header => ({
          ...header,
          tables: [...header.tables, { name: 'pg_class', columns: ['oid'], rows: 0 }],
        }),
      },
      /does not hold the tables/,
    ],
    [
      {
        header: header => ({
          ...header,
          partitions: [{ name: 'x', of: 'jobs', range: { from: `'a') ; --`, to: '1' } }],
        }),
      },
      /damaged/,
    ],
    [{ header: () => ({ surprise: true }) }, /damaged/],
    [{ title: 'restic-manager dump 2' }, /newer version/],
    [
      { header: header => ({ ...header, migration: { tag: '9999_later', when: Date.now() + 1e12 } }) },
      /does not know/,
    ],
  ]
  for (const [change, why] of cases) {
    await forge(change)
    await expect(restore(url, 'forged.dump'), String(why)).rejects.toThrow(why)
  }
  expect(await isUntouched(url)).toBe(true)
})

test('the key at hand must be the one the secrets are sealed with', async () => {
  const url = await scene.empty()
  const other = restore(url, 'fleet.dump', { fingerprints: ['0123456789abcdef'] })
  await expect(other).rejects.toThrow(
    `sealed with the key ${scene.fingerprint}, and at hand is 0123456789abcdef`,
  )
  const none = restore(url, 'fleet.dump', { fingerprints: [] })
  await expect(none).rejects.toThrow('there is none at hand. Set RM_SECRET_KEY_FILE')
  expect(await isUntouched(url)).toBe(true)
})

test('what a database holds is given up only when that is wished, and is kept when the restore fails', async () => {
  const url = await scene.empty()
  await restore(url)
  await ask(url, `create table "of another program" (a int)`)
  await ask(url, `insert into "of another program" values (1)`)
  await ask(url, `delete from snapshots`)
  await expect(restore(url)).rejects.toThrow('not empty')

  await forgeDump(at('fleet.dump'), at('forged.dump'), { rows: rows => rows.slice(0, -1) })
  await expect(restore(url, 'forged.dump', { replace: true })).rejects.toThrow('end too early')
  const kept = { ...content, snapshots: [] }
  expect(await contentsOf(url)).toEqual(kept)

  await restore(url, 'fleet.dump', { replace: true })
  expect(await contentsOf(url)).toEqual(content)
  expect(await ask(url, `select a from "of another program"`)).toEqual([{ a: 1 }])
})

test('a database that a server has only started on counts as empty', async () => {
  const url = await scene.empty()
  await inOneTransaction(url, { application: 'test', mode: 'read write' }, async tx => {
    await applyMigrations(tx, readMigrations())
    await tx`insert into settings (name, value) values ('sealing_key_fingerprint', '"another"')`
  })
  await restore(url)
  expect(await contentsOf(url)).toEqual(content)
})

test('nothing is restored below a server', async () => {
  const url = await scene.empty()
  const server = connect(url, { max: 1, connection: { application_name: 'restic-manager plain' } })
  await server`select 1`
  await expect(restore(url)).rejects.toThrow(
    'is connected to this database (restic-manager plain). Stop every server',
  )
  await server.end()
  expect(await isUntouched(url)).toBe(true)
  await restore(url)
})

test('a dump of an older migration, be it the first, is restored and brought to this version', async () => {
  const migrations = readMigrations()
  for (const index of [0, migrations.length - 2]) {
    const tag = migrations[index]?.tag ?? ''
    const from = await scene.empty()
    await inOneTransaction(from, { application: 'test', mode: 'read write' }, tx =>
      applyMigrations(tx, migrations.slice(0, index + 1)),
    )
    const jobId = crypto.randomUUID()
    await ask(
      from,
      `insert into hosts (id, name, hostname, public_key) values ('${jobId}', 'web-1', 'web-1', 'key')`,
    )
    await ask(
      from,
      `insert into jobs (id, host_id, repository_id, kind, status, spec) values ('${jobId}', '${jobId}', '${jobId}', 'backup', 'queued', '{}')`,
    )
    const { header } = await dumpDatabase(from, at(`${tag}.dump`), { version: '1.2.3' })
    expect(header.migration.tag).toBe(tag)
    expect(header.keyFingerprint).toBeNull()
    const url = await scene.empty()
    await restore(url, `${tag}.dump`)
    expect(await ask(url, 'select id, status from jobs')).toEqual([{ id: jobId, status: 'queued' }])
    expect((await contentsOf(url))['migrations']).toEqual(migrations.map(({ hash }) => hash))
  }
})

test('a restore that is stopped changes nothing', async () => {
  const url = await scene.empty()
  const stop = new AbortController()
  stop.abort(new Error('Stopped.'))
  await expect(restore(url, 'fleet.dump', { signal: stop.signal })).rejects.toThrow(/abort|Stopped/)
  expect(await isUntouched(url)).toBe(true)
})
