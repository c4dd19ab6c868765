// Puts a dump into a database: all of it, or nothing is changed.
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type postgres from 'postgres'
import { findPartitions, findTables, liftForeignKeys, putForeignKey } from './dump-catalogue.ts'
import type { DumpHeader, OpenDump } from './dump-file.ts'
import { applyMigrations, newestMigrationIn, readMigrations } from './dump-migrations.ts'
import { createRowReader } from './dump-rows.ts'
import { inOneTransaction, ourApplications, quoted, quotedList } from './dump-transaction.ts'
import { migrationLock } from './migrate.ts'
import { hasSqlState } from './sql-state.ts'

export type RestoreOptions = {
  /** The fingerprints of the keys at hand. */
  fingerprints: readonly string[]
  /** Gives up what the database holds. */
  replace?: boolean
  signal?: AbortSignal | undefined
}

/** How long a connection that was closed may still be seen. */
const leavingMs = 2_000
/** Every start of a server writes into these: they do not make a database one that is in use. */
const notWorthKeeping = new Set(['chore_turns', 'settings'])

/**
 * Puts a dump into the database at `url`, at the migration it was made at, and brings it to this version's. Sessions of before
 * are fenced. Throws a sentence, and has changed nothing, when it cannot be done.
 */
export async function restoreDatabase(
  url: string,
  dump: OpenDump,
  { fingerprints, replace = false, signal }: RestoreOptions,
): Promise<void> {
  const { header } = dump
  const all = readMigrations()
  const at = all.findIndex(({ tag, when }) => tag === header.migration.tag && when === header.migration.when)
  if (at === -1)
    throw new Error(
      `The dump was made by restic-manager ${header.version}, whose tables this version does not know. Restore it with that version or a newer one.`,
    )
  if (header.keyFingerprint !== null && !fingerprints.includes(header.keyFingerprint))
    throw new Error(
      `The secrets in the dump are sealed with the key ${header.keyFingerprint}, and ${fingerprints.length === 0 ? 'there is none at hand' : `at hand is ${fingerprints.join(' and ')}`}. Set RM_SECRET_KEY_FILE to the right key file.`,
    )
  const names = all[at]?.tables ?? []
  await inOneTransaction(url, { application: 'restore', mode: 'read write' }, async tx => {
    await standAlone(tx)
    await clear(tx, replace)
    await applyMigrations(tx, all.slice(0, at + 1))
    await makePartitions(tx, header, names)
    await compareTables(tx, header, names)
    const keys = await liftForeignKeys(tx, names)
    // What triggers made of the rows is in the dump as well.
    for (const name of names) await tx.unsafe(`alter table ${quoted(name)} disable trigger user`)
    await loadRows(tx, header, dump.rows(), signal)
    for (const name of names) await tx.unsafe(`alter table ${quoted(name)} enable trigger user`)
    for (const key of keys) {
      signal?.throwIfAborted()
      await putForeignKey(tx, key).catch((error: unknown) => {
        if (!hasSqlState(error, '23503')) throw error
        throw new Error(`The rows in the dump do not fit each other (${key.name}). Nothing was changed.`, {
          cause: error,
        })
      })
    }
    for (const { table, column, last, used } of header.numbers)
      await tx`select setval(pg_get_serial_sequence(${quoted(table)}, ${column}), ${last}::bigint, ${used})`
    await applyMigrations(tx, all.slice(at + 1))
    await fenceSessions(tx)
    await tx.unsafe(`analyze ${quotedList(all.at(-1)?.tables ?? [])}`)
  })
}

/**
 * Nobody else may be at the database. Who has just left is still seen for a moment. A server that starts meanwhile waits for
 * the same lock before it does anything.
 */
async function standAlone(tx: postgres.TransactionSql) {
  const deadline = performance.now() + leavingMs
  for (;;) {
    const [lock] =
      await tx`select pg_try_advisory_xact_lock(${migrationLock}) as mine, pg_stat_clear_snapshot()`
    const others = await tx<{ name: string }[]>`
      select distinct application_name as name from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid() and starts_with(application_name, ${ourApplications})
      order by 1`
    if (lock?.['mine'] === true && others.length === 0) return
    if (performance.now() > deadline) {
      const seen = others.length === 0 ? '' : ` (${others.map(({ name }) => name).join(', ')})`
      throw new Error(
        `A server or an admin command is connected to this database${seen}. Stop every server, then try again.`,
      )
    }
    await sleep(100)
  }
}

/** Makes room for the dump's tables. Throws when something would be lost that nobody gave up. */
async function clear(tx: postgres.TransactionSql, replace: boolean) {
  const there = await newestMigrationIn(tx)
  if (there === undefined) return
  const migration = readMigrations().find(({ when }) => when === there)
  if (migration === undefined)
    throw new Error(
      'This database belongs to another version of restic-manager, probably a newer one. Restore with that version, or into an empty database.',
    )
  const precious = migration.tables.filter(name => !notWorthKeeping.has(name))
  if (!replace && (await holdsRows(tx, precious)))
    throw new Error(
      'The database is not empty. Restore into an empty one, or say --replace to give up what is in it.',
    )
  // Without `cascade`: what is not ours is not dropped along.
  await tx.unsafe(`drop table ${quotedList(migration.tables)}, drizzle.__drizzle_migrations`)
}

async function holdsRows(tx: postgres.TransactionSql, names: readonly string[]): Promise<boolean> {
  const looks = names.map(name => `exists (select 1 from ${quoted(name)})`)
  const [row] = await tx.unsafe<{ holds: boolean }[]>(`select ${looks.join(' or ')} as holds`)
  return row?.holds === true
}

/** The partitions of the dump that no migration makes. */
async function makePartitions(tx: postgres.TransactionSql, header: DumpHeader, names: readonly string[]) {
  const there = new Set((await findPartitions(tx, names)).map(({ name }) => name))
  for (const { name, of, range } of header.partitions) {
    if (there.has(name)) continue
    const bound = range === null ? 'default' : `for values from (${range.from}) to (${range.to})`
    await tx.unsafe(`create table ${quoted(name)} partition of ${quoted(of)} ${bound}`)
  }
}

/** A header that names other tables or columns than its migration has was not written by us. */
async function compareTables(tx: postgres.TransactionSql, header: DumpHeader, names: readonly string[]) {
  const listed = (tables: readonly { name: string; columns: readonly string[] }[]) =>
    JSON.stringify(tables.map(({ name, columns }) => [name, columns.toSorted()]).toSorted())
  if (listed(await findTables(tx, names)) === listed(header.tables)) return
  throw new Error(
    `The dump does not hold the tables of ${header.migration.tag}. It was changed, or not made by restic-manager.`,
  )
}

/** SQLSTATE classes of values that are none, and of rules that are broken. */
const isAboutRows = (error: unknown) =>
  error instanceof Error && 'code' in error && /^2[23]/.test(String(error.code))

async function loadRows(
  tx: postgres.TransactionSql,
  { tables }: DumpHeader,
  source: AsyncIterable<Buffer>,
  signal: AbortSignal | undefined,
) {
  const reader = createRowReader(source)
  for (const { name, columns, rows } of tables) {
    const query = tx.unsafe(`copy ${quoted(name)} (${quotedList(columns)}) from stdin`)
    await pipeline(reader.take(rows), await query.writable(), { signal }).catch((error: unknown) => {
      if (!isAboutRows(error)) throw error
      throw new Error(`The rows of ${name} cannot be taken in. Nothing was changed.`, { cause: error })
    })
  }
  if (!(await reader.isAtEnd()))
    throw new Error('The file holds more rows than its header says. Nothing was changed.')
}

/**
 * No connection of before may write under its number again, and none of the numbers given since the dump may be given twice: a
 * server that slept through the restore would otherwise be believed. Milliseconds run ahead of any count of sessions.
 */
async function fenceSessions(tx: postgres.TransactionSql) {
  await tx`update hosts set session_number = 0, online = false`
  await tx`select setval(sequence, greatest(nextval(sequence), (extract(epoch from clock_timestamp()) * 1000)::bigint))
    from pg_get_serial_sequence('agent_sessions', 'number') as sequence`
}
