// Which tables there are at each migration, and how a database is brought from one to the next inside a transaction.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import type postgres from 'postgres'
import { migrationsFolder } from './migrate.ts'

/** `tables`: the names of all of ours once it was applied. */
export type Migration = {
  tag: string
  when: number
  hash: string
  statements: readonly string[]
  tables: readonly string[]
}

type Journal = { entries: { idx: number; when: number; tag: string }[] }
type Snapshot = { tables: Record<string, { name: string }> }

/** Every migration of this version, oldest first. */
export function readMigrations(): Migration[] {
  const folder = migrationsFolder()
  const read = (name: string): unknown => JSON.parse(readFileSync(join(folder, 'meta', name), 'utf8'))
  const { entries } = read('_journal.json') as Journal
  return readMigrationFiles({ migrationsFolder: folder }).map((file, at) => {
    const { idx, tag } = entries[at] ?? { idx: at, tag: 'unknown' }
    const { tables } = read(`${String(idx).padStart(4, '0')}_snapshot.json`) as Snapshot
    return {
      tag,
      when: file.folderMillis,
      hash: file.hash,
      statements: file.sql,
      tables: Object.values(tables).map(({ name }) => name),
    }
  })
}

/** When the newest migration of a database was made; undefined: it has none. */
export async function newestMigrationIn(sql: postgres.ISql): Promise<number | undefined> {
  const [found] = await sql`select to_regclass('drizzle.__drizzle_migrations') is not null as there`
  if (found?.['there'] !== true) return undefined
  const [row] = await sql`select max(created_at) as newest from drizzle.__drizzle_migrations`
  return row?.['newest'] === null ? undefined : Number(row?.['newest'])
}

/**
 * Applies migrations and notes them as `migrate.ts` would. That one commits on its own; here everything is to happen or
 * nothing, together with what comes before and after.
 */
export async function applyMigrations(tx: postgres.ISql, migrations: readonly Migration[]): Promise<void> {
  await tx`create schema if not exists drizzle`
  await tx`create table if not exists drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`
  for (const { hash, when, statements } of migrations) {
    for (const statement of statements) await tx.unsafe(statement)
    await tx`insert into drizzle.__drizzle_migrations (hash, created_at) values (${hash}, ${when})`
  }
}
