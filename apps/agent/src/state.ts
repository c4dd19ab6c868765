// The agent's memory on disk: facts and jobs, in one SQLite database where a commit survives a power cut.
import { randomUUID } from 'node:crypto'
import { chmodSync, existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import { toInstant } from '@restic-manager/contract/scalars'
import type { Log } from '@restic-manager/runtime/log'
import { createDoorbell, type Doorbell } from './doorbell.ts'
import { noReserve, type Reserve } from './reserve.ts'
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

/**
 * What the agent knows. A transaction here may take half of the room that is held back for a full disk. Everything may throw
 * when the disk is full, or when the database turned out to be damaged: then an empty one has taken its place.
 */
export type State = Store & {
  readonly folder: string
  /** Names this spool: one that was lost is followed by one with another epoch. Changes while the agent runs. */
  readonly epoch: string
  /** When the spool was found damaged and begun anew last; undefined: it never was. */
  readonly resetAt: string | undefined
  /** Everything that is written down here is dated by it. */
  readonly clock: Clock
  /** A transaction without which something that has begun would never end: it may take all of the room held back. */
  vital<T>(work: () => T): T
  /** A transaction that is not worth any of the room held back. */
  ifRoom<T>(work: () => T): T
  /** The room held back, for the few small files beside the database. */
  readonly reserve: Reserve
  /** What the database holds, in bytes on disk. */
  usedBytes(): number
  /** This spool went back in time: under a new name the server takes all that it holds for news. */
  renewEpoch(): void
  /** Calls `listener` when an empty database has taken the place of a damaged one. Returns what ends that. */
  onLost(listener: () => void): () => void
  /** Rings whenever a fact is recorded or is to be sent again. */
  readonly factsBell: Doorbell
}

/**
 * Opens the memory in `folder`. A database that is damaged, now or later, is moved aside and a new one with a new epoch
 * begun: what it held is lost, and said so, but the host goes on.
 */
export function openState(
  folder: string,
  log: Log,
  clock: Clock = systemClock,
  reserve: Reserve = noReserve,
): State {
  const path = join(folder, 'state.db')
  const factsBell = createDoorbell()
  const listeners = new Set<() => void>()
  let depth = 0
  let store: Store | undefined
  try {
    store = openSound(path)
  } catch (error) {
    if (!isDamage(error)) throw error
    store = beginAnew(error)
  }
  let epoch = readMeta(store, 'spoolEpoch') ?? randomUUID()
  let resetAt = readMeta(store, 'spoolResetAt')
  writeMeta(store, 'spoolEpoch', epoch)

  function beginAnew(damage: unknown): Store {
    const aside = moveAside(path)
    log.error({ aside, err: damage }, 'the spool was damaged; it was moved aside and a new one begun')
    const fresh = openSound(path)
    writeMeta(fresh, 'spoolMovedAside', aside)
    writeMeta(fresh, 'spoolResetAt', toInstant(clock.now()))
    return fresh
  }

  function replace(damage: unknown): void {
    try {
      store?.close()
    } catch {
      // It is out of the way in any case.
    }
    store = undefined // should nothing new be begun now, it is tried at the next use
    store = beginAnew(damage)
    epoch = randomUUID()
    writeMeta(store, 'spoolEpoch', epoch)
    resetAt = readMeta(store, 'spoolResetAt')
    for (const listener of listeners) listener()
    factsBell.ring()
  }

  function use<T>(work: (store: Store) => T): T {
    try {
      return work((store ??= openSound(path)))
    } catch (error) {
      if (depth === 0 && isDamage(error)) replace(error)
      throw error
    }
  }

  function transaction<T>(work: () => T, around: (work: () => T) => T): T {
    if (depth > 0) return work()
    const once = () =>
      use(opened => {
        depth += 1
        try {
          return opened.transaction(work)
        } finally {
          depth -= 1
        }
      })
    return around(once)
  }

  return {
    run: (sql, ...values) => reserve.watch(() => use(opened => opened.run(sql, ...values))),
    one: (sql, ...values) => use(opened => opened.one(sql, ...values)),
    all: (sql, ...values) => use(opened => opened.all(sql, ...values)),
    transaction: work => transaction(work, once => reserve.spend('some', once)),
    vital: work => transaction(work, once => reserve.spend('all', once)),
    ifRoom: work => transaction(work, once => reserve.watch(once)),
    close: () => store?.close(),
    folder,
    clock,
    reserve,
    get epoch() {
      return epoch
    },
    get resetAt() {
      return resetAt
    },
    usedBytes: () =>
      use(opened => {
        const number = (name: string) => Number(opened.one(`pragma ${name}`)?.[name])
        return (number('page_count') - number('freelist_count')) * number('page_size')
      }),
    renewEpoch() {
      const next = randomUUID()
      use(opened => writeMeta(opened, 'spoolEpoch', next))
      epoch = next
    },
    onLost(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    factsBell,
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

/** What is kept here is sound, but not for this agent. The message says what to do. */
export class StateUnusable extends Error {}

class SpoolDamaged extends Error {}

/** SQLite takes a log that does not begin as one for an empty log, and would lose what was committed to it without a word. */
function refuseStrangeLog(path: string): void {
  if (!existsSync(`${path}-wal`)) return
  const head = readFileSync(`${path}-wal`).subarray(0, 4)
  if (head.length < 4 || head.every(byte => byte === 0)) return
  if (![0x377f0682, 0x377f0683].includes(head.readUInt32BE()))
    throw new SpoolDamaged(`${path}-wal is no log of SQLite`)
}

function openSound(path: string): Store {
  refuseStrangeLog(path)
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
