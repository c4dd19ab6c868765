// The agent's memory on disk: facts and jobs, in one SQLite database where a commit survives a power cut.
import { randomUUID } from 'node:crypto'
import { chmodSync, existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import type { Log } from '@restic-manager/runtime/log'
import { createDoorbell, type Doorbell } from './doorbell.ts'
import { schemaSteps } from './state-schema.ts'
import { systemClock, type Clock } from './timers.ts'

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

/** What the agent knows. `epoch` names this spool: a spool that was lost is followed by one with another epoch. */
export type State = Store & {
  readonly folder: string
  readonly epoch: string
  /** What everything that is written down here is dated by. */
  readonly clock: Clock
  /** This spool went back in time: under a new name the server takes all that it holds for news. */
  renewEpoch(): void
  /** Rings whenever a fact is recorded or is to be sent again. */
  readonly factsBell: Doorbell
}

/**
 * Opens the memory in `folder`. A database that is damaged is moved aside and a new one with a new epoch begun:
 * what it held is lost, and said so, but the host goes on backing up.
 */
export function openState(folder: string, log: Log, clock: Clock = systemClock): State {
  const path = join(folder, 'state.db')
  let store: Store
  try {
    store = openSound(path)
  } catch (error) {
    if (!isDamage(error)) throw error
    const aside = moveAside(path)
    log.error({ aside, err: error }, 'the spool was damaged; it was moved aside and a new one begun')
    store = openSound(path)
    writeMeta(store, 'spoolMovedAside', aside)
  }
  let epoch = readMeta(store, 'spoolEpoch') ?? randomUUID()
  writeMeta(store, 'spoolEpoch', epoch)
  return {
    ...store,
    folder,
    clock,
    get epoch() {
      return epoch
    },
    renewEpoch() {
      const next = randomUUID()
      writeMeta(store, 'spoolEpoch', next)
      epoch = next
    },
    factsBell: createDoorbell(),
  }
}

/** A small thing the agent remembers by name; undefined when it never did. */
export function readMeta(store: Store, name: string): string | undefined {
  return store.one('select value from meta where name = ?', name)?.value as string | undefined
}

/** Remembers a small thing. Costs nothing when it is known already. */
export function writeMeta(store: Store, name: string, value: string): void {
  if (readMeta(store, name) === value) return
  store.run(
    'insert into meta values (?, ?) on conflict (name) do update set value = excluded.value',
    name,
    value,
  )
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

/** Whether a database that was only opened to look at has the tables of the plan. */
export function hasPlan(store: Store): boolean {
  return Number(store.one('pragma user_version')?.user_version) >= 2
}

/** Whether an error means that the database file itself cannot be trusted. */
export function isDamage(error: unknown): boolean {
  if (error instanceof SpoolDamaged) return true
  const code = (error as { errcode?: number }).errcode
  return code !== undefined && [11, 26].includes(code & 0xff) // SQLITE_CORRUPT, SQLITE_NOTADB
}

/** Moves a damaged database and what belongs to it out of the way; returns where the database went. */
export function moveAside(path: string): string {
  const aside = `${path}.damaged-${new Date().toISOString().replaceAll(':', '')}`
  for (const part of ['', '-wal', '-shm']) {
    if (existsSync(path + part)) renameSync(path + part, aside + part)
  }
  return aside
}

/** What is kept here is sound, but not for this agent. The message says what to do. */
export class StateUnusable extends Error {}

class SpoolDamaged extends Error {}

function openSound(path: string): Store {
  const store = openStore(path, 'FULL')
  try {
    const verdict = store.one('pragma quick_check(1)')?.quick_check
    if (verdict !== 'ok') throw new SpoolDamaged(`the check of ${path} said: ${String(verdict)}`)
    const version = Number(store.one('pragma user_version')?.user_version)
    if (version > schemaSteps.length)
      throw new StateUnusable(
        `${path} was written by a newer agent. Install that version again, or enrol this host anew.`,
      )
    if (version < schemaSteps.length) store.transaction(() => bringUpToDate(store, version))
    return store
  } catch (error) {
    store.close()
    throw error
  }
}

function bringUpToDate(store: Store, version: number): void {
  for (const step of schemaSteps.slice(version))
    for (const statement of step.split(';')) if (statement.trim() !== '') store.run(statement)
  store.run(`pragma user_version = ${schemaSteps.length}`)
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
