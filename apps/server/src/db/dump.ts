// Makes a dump: the whole database as it is at one moment, in one file, while servers go on working.
import type postgres from 'postgres'
import { toInstant } from '@restic-manager/contract/scalars'
import { findNumbers, findPartitions, findTables } from './dump-catalogue.ts'
import { type DumpHeader, type DumpTable, refuseToOverwrite, writeDump } from './dump-file.ts'
import { type Migration, newestMigrationIn, readMigrations } from './dump-migrations.ts'
import { gatherRows } from './dump-rows.ts'
import { inOneTransaction, quoted, quotedList } from './dump-transaction.ts'
import { fingerprintSetting } from './seal.ts'

export type DumpOptions = {
  version: string
  overwrite?: boolean
  signal?: AbortSignal | undefined
  /** Awaited once it is clear that a dump can be made, before anything is read for it. */
  onBegin?: () => Promise<void>
}

/**
 * Writes everything in the database at `url` to `file`, which is not there before it is whole. Secrets stay sealed. Writes
 * nothing to the database and holds up nobody who writes to it. Throws a sentence when it cannot be done.
 */
export async function dumpDatabase(
  url: string,
  file: string,
  { version, overwrite = false, signal, onBegin = async () => {} }: DumpOptions,
): Promise<{ header: DumpHeader; bytes: number }> {
  if (!overwrite) await refuseToOverwrite(file)
  const migration = await findMigration(url)
  await onBegin()
  const mode = 'isolation level repeatable read read only'
  return inOneTransaction(url, { application: 'backup', mode }, async tx => {
    // Before the first query: what is read from here on is of one moment, and no table is changed or dropped on the way.
    await tx.unsafe(`lock table ${quotedList(migration.tables)} in access share mode`)
    if ((await newestMigrationIn(tx)) !== migration.when)
      throw new Error('The database was brought to another version just now. Try again.')
    const header = await describe(tx, migration, version)
    const bytes = await writeDump(file, header, rowsOf(tx, header.tables), { overwrite, signal })
    return { header, bytes }
  })
}

async function findMigration(url: string): Promise<Migration> {
  const mode = 'read only'
  const there = await inOneTransaction(url, { application: 'backup', mode }, newestMigrationIn)
  if (there === undefined)
    throw new Error('There is nothing to back up: no server has used this database yet.')
  const migration = readMigrations().find(({ when }) => when === there)
  if (migration === undefined)
    throw new Error(
      'This database belongs to another version of restic-manager, probably a newer one. Back it up with that version.',
    )
  return migration
}

async function describe(
  tx: postgres.TransactionSql,
  { tag, when, tables: names }: Migration,
  version: string,
): Promise<DumpHeader> {
  const [now] = await tx<{ at: Date }[]>`select now() as at`
  const [sealed] = await tx<
    { value: unknown }[]
  >`select value from settings where name = ${fingerprintSetting}`
  const found = await findTables(tx, names)
  const tables: DumpTable[] = []
  for (const { name, columns } of found) {
    const [counted] = await tx.unsafe<{ rows: string }[]>(`select count(*) as rows from ${quoted(name)}`)
    tables.push({ name, columns, rows: Number(counted?.rows) })
  }
  return {
    version,
    madeAt: toInstant(now?.at ?? Date.now()),
    migration: { tag, when },
    keyFingerprint: typeof sealed?.value === 'string' ? sealed.value : null,
    tables,
    partitions: await findPartitions(tx, names),
    numbers: await findNumbers(tx, names),
  }
}

async function* rowsOf(tx: postgres.TransactionSql, tables: readonly DumpTable[]): AsyncGenerator<Buffer> {
  for (const { name, columns, rows } of tables) {
    // A select, because a table in partitions cannot be copied by its name.
    const query = tx.unsafe(`copy (select ${quotedList(columns)} from ${quoted(name)}) to stdout`)
    yield* gatherRows(await query.readable(), rows)
  }
}
