// A database on the disk of this host: opened for one writer, its statements prepared once, and moved out of the way when damaged.
import { chmodSync, existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite'

export type Row = Record<string, SQLOutputValue>

/** A database with its statements prepared once. */
export type Store = {
  run(sql: string, ...values: SQLInputValue[]): number
  one(sql: string, ...values: SQLInputValue[]): Row | undefined
  all(sql: string, ...values: SQLInputValue[]): Row[]
  /** All or nothing. Inside another transaction it is part of that one. */
  transaction<T>(work: () => T): T
  close(): void
}

/** Opens a database file for a single writer, readable by its owner only. */
export function openStore(path: string, synchronous: 'FULL' | 'NORMAL'): Store {
  const db = new DatabaseSync(path, { timeout: 5_000 })
  try {
    chmodSync(path, 0o600)
    db.exec(`pragma journal_mode = wal; pragma synchronous = ${synchronous}; pragma secure_delete = fast`)
  } catch (error) {
    db.close()
    throw error
  }
  return storeOf(db)
}

/** Opens a database only to look at it, while another process may be writing. */
export function openToRead(path: string): Store {
  return storeOf(new DatabaseSync(path, { readOnly: true, timeout: 5_000 }))
}

/** Lets the file of a database shrink. Whatever it holds is copied once: best done before it holds anything. */
export function letShrink(store: Store): void {
  store.run('pragma auto_vacuum = incremental')
  store.run('vacuum')
}

/** Pages of a file that may lie empty, and how many are given back at a time. A page is 4 KiB. */
const mostFreePages = 4_096
const pagesAtOnce = 1_024

/** Gives a little of what lies empty back to the file system. Cheap when nothing does. True: there is more to give. */
export function giveBackPages(store: Store): boolean {
  const freePages = () => Number(store.one('pragma freelist_count')?.freelist_count)
  const free = freePages()
  if (free <= mostFreePages) return false
  store.all(`pragma incremental_vacuum(${pagesAtOnce})`)
  const left = freePages()
  return left > mostFreePages && left < free // a file made by an older agent never shrinks
}

/** A database file holds what no database writes. */
export class FileDamaged extends Error {}

/** Whether an error means that the database file itself cannot be trusted. */
export function isDamage(error: unknown): boolean {
  if (error instanceof FileDamaged) return true
  const code = (error as { errcode?: number }).errcode
  return code !== undefined && [11, 26].includes(code & 0xff) // SQLITE_CORRUPT, SQLITE_NOTADB
}

/** As many damaged databases are kept for whoever wants to know. */
const damagedKept = 3

/** Moves a damaged database and what belongs to it out of the way; returns where the database went. */
export function moveAside(path: string): string {
  const mark = `${basename(path)}.damaged-`
  const aside = join(dirname(path), `${mark}${new Date().toISOString().replaceAll(':', '')}`)
  for (const part of ['', '-wal', '-shm']) {
    if (existsSync(path + part)) renameSync(path + part, aside + part)
  }
  const databases = readdirSync(dirname(path)).filter(
    name => name.startsWith(mark) && !/-(wal|shm)$/.test(name),
  )
  for (const old of databases.toSorted().slice(0, -damagedKept))
    for (const part of ['', '-wal', '-shm']) rmSync(join(dirname(path), old + part), { force: true })
  return aside
}

function storeOf(db: DatabaseSync): Store {
  const statements = new Map<string, StatementSync>()
  const prepared = (sql: string) => {
    const known = statements.get(sql)
    if (known !== undefined) return known
    const fresh = db.prepare(sql)
    statements.set(sql, fresh)
    return fresh
  }
  let depth = 0
  return {
    run: (sql, ...values) => Number(prepared(sql).run(...values).changes),
    one: (sql, ...values) => prepared(sql).get(...values),
    all: (sql, ...values) => prepared(sql).all(...values),
    transaction(work) {
      if (depth > 0) return work()
      db.exec('begin immediate')
      depth += 1
      try {
        const result = work()
        db.exec('commit')
        return result
      } catch (error) {
        if (db.isTransaction) db.exec('rollback')
        throw error
      } finally {
        depth -= 1
      }
    },
    close: () => db.close(),
  }
}
