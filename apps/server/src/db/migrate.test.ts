// What the migrations promise: the tables of this version, made once, whoever comes first.
import { spawnSync } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import drizzleConfig from '../../drizzle.config.ts'
import { testDatabase } from '../testing-database.ts'
import { migrateDatabase, migrationsFolder } from './migrate.ts'
import { connect } from './open.ts'
import { createReadyCheck } from './ready.ts'

type Journal = { entries: { idx: number; when: number; tag: string }[] }

const readJournal = async (): Promise<Journal> =>
  JSON.parse(await readFile(join(migrationsFolder(), 'meta/_journal.json'), 'utf8'))

test('five servers that migrate one empty database at once all start (row 18)', async () => {
  await using database = await testDatabase()
  const name = `empty_${Date.now()}`
  await database.sql`create database ${database.sql(name)}`
  const url = new URL(database.url)
  url.pathname = `/${name}`
  const check = createReadyCheck(url.href)
  expect(await check.ask()).toBe('migrations')
  await check.close()

  await Promise.all(Array.from({ length: 5 }, () => migrateDatabase(url.href)))

  const sql = connect(url.href, { max: 1 })
  const applied = await sql`select count(*)::int as count from drizzle.__drizzle_migrations`
  const kinds = await sql`select relpersistence from pg_class where relname = 'job_progress'`
  await sql.end()
  expect(applied[0]).toEqual({ count: (await readJournal()).entries.length })
  expect(kinds[0]).toEqual({ relpersistence: 'u' })
  const again = createReadyCheck(url.href)
  expect(await again.ask()).toBeUndefined()
  await again.close()
  await database.sql`drop database ${database.sql(name)}`
})

test('the times in the journal rise, because a migration older than the last applied one is skipped in silence', async () => {
  const { entries } = await readJournal()
  const times = entries.map(entry => entry.when)
  expect(times).toEqual(times.toSorted((a, b) => a - b))
  expect(new Set(times).size).toBe(times.length)
  expect(entries.map(entry => entry.idx)).toEqual(entries.map((_, index) => index))
  const files = (await readdir(migrationsFolder())).filter(file => file.endsWith('.sql')).toSorted()
  expect(files).toEqual(entries.map(entry => `${entry.tag}.sql`))
})

test('the migrations make exactly the tables of the schema: generating again finds nothing to do', async () => {
  const app = fileURLToPath(new URL('../../', import.meta.url))
  const folder = await mkdtemp('/tmp/rm-drift-')
  try {
    await cp(migrationsFolder(), join(folder, 'drizzle'), { recursive: true })
    const config = join(folder, 'drizzle.config.json')
    const out = relative(app, join(folder, 'drizzle'))
    await writeFile(config, JSON.stringify({ ...drizzleConfig, out }))
    const bin = fileURLToPath(import.meta.resolve('drizzle-kit'))
    const kit = join(bin.slice(0, bin.lastIndexOf('/drizzle-kit/')), 'drizzle-kit/bin.cjs')
    const generate = spawnSync(process.execPath, [kit, 'generate', `--config=${relative(app, config)}`], {
      cwd: app,
      encoding: 'utf8',
    })
    expect(generate.stdout + generate.stderr).toContain('No schema changes')
    expect(await readdir(join(folder, 'drizzle'))).toEqual(await readdir(migrationsFolder()))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
