// The agent's memory on disk: facts and jobs, in one SQLite database where a commit survives a power cut.
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { toInstant } from '@restic-manager/contract/scalars'
import type { Log } from '@restic-manager/runtime/log'
import { createDoorbell, type Doorbell } from './doorbell.ts'
import { noReserve, type Reserve } from './reserve.ts'
import { openStartBook, refuseBegun, type StartBook } from './start-book.ts'
import { schemaSteps } from './state-schema.ts'
import { FileDamaged, isDamage, letShrink, moveAside, openStore, type Store } from './store.ts'
import { systemClock, type Clock } from './timers.ts'

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
  /** Which jobs have begun, also before this spool was. */
  readonly starts: Pick<StartBook, 'note'>
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
 * begun: what it held is lost, and said so, but the host goes on, and no job that had begun begins again.
 */
export function openState(
  folder: string,
  log: Log,
  clock: Clock = systemClock,
  reserve: Reserve = noReserve,
): State {
  const path = join(folder, 'state.db')
  const factsBell = createDoorbell()
  const starts = openStartBook(folder, log, clock)
  const listeners = new Set<() => void>()
  let depth = 0
  /** Undefined: it was damaged, and a full disk did not take a new one yet. That is tried at every use. */
  let store: Store | undefined
  /** Where a damaged database went, until the one in its place says so. */
  let aside: string | undefined
  let epoch = ''
  let resetAt: string | undefined
  open()

  function open(): Store {
    const opened = reserve.spend('all', () => openOrBeginAnew())
    store = opened
    epoch = readMeta(opened, 'spoolEpoch') as string
    resetAt = readMeta(opened, 'spoolResetAt')
    return opened
  }

  function openOrBeginAnew(): Store {
    try {
      return named(openSound(path))
    } catch (error) {
      if (!isDamage(error)) throw error
      setAside(error)
      return named(openSound(path))
    }
  }

  function setAside(damage: unknown): void {
    aside = moveAside(path)
    log.error({ aside, err: damage }, 'the spool was damaged; it was moved aside and a new one is begun')
  }

  /** A new one gets its name, knows what has begun and says what it has replaced in one commit: no crash comes in between. */
  function named(opened: Store): Store {
    try {
      opened.transaction(() => {
        if (readMeta(opened, 'spoolEpoch') === undefined) {
          writeMeta(opened, 'spoolEpoch', randomUUID())
          refuseBegun(opened, starts.begun(), clock.now())
        }
        if (aside === undefined) return
        writeMeta(opened, 'spoolMovedAside', aside)
        writeMeta(opened, 'spoolResetAt', toInstant(clock.now()))
      })
    } catch (error) {
      opened.close()
      throw error
    }
    aside = undefined
    return opened
  }

  function beginAnew(): Store {
    const opened = open()
    for (const listener of listeners) {
      try {
        listener()
      } catch (error) {
        log.error({ err: error }, 'what was in memory did not go into the new spool')
      }
    }
    factsBell.ring()
    return opened
  }

  function use<T>(work: (store: Store) => T): T {
    try {
      return work(store ?? beginAnew())
    } catch (error) {
      if (depth === 0 && isDamage(error)) replace(error)
      throw error
    }
  }

  function replace(damage: unknown): void {
    try {
      store?.close()
    } catch {
      // It is out of the way in any case.
    }
    store = undefined
    setAside(damage)
    beginAnew()
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
    starts,
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

/** Whether a database that was only opened to look at has the tables of the plan. */
export function hasPlan(store: Store): boolean {
  return Number(store.one('pragma user_version')?.user_version) >= 2
}

/** What is kept here is sound, but not for this agent. The message says what to do. */
export class StateUnusable extends Error {}

/** SQLite takes a log that does not begin as one for an empty log, and would lose what was committed to it without a word. */
function refuseStrangeLog(path: string): void {
  if (!existsSync(`${path}-wal`)) return
  const head = readFileSync(`${path}-wal`).subarray(0, 4)
  if (head.length < 4 || head.every(byte => byte === 0)) return
  if (![0x377f0682, 0x377f0683].includes(head.readUInt32BE()))
    throw new FileDamaged(`${path}-wal is no log of SQLite`)
}

function openSound(path: string): Store {
  refuseStrangeLog(path)
  const store = openStore(path, 'FULL')
  try {
    const verdict = store.one('pragma quick_check(1)')?.quick_check
    if (verdict !== 'ok') throw new FileDamaged(`the check of ${path} said: ${String(verdict)}`)
    const version = Number(store.one('pragma user_version')?.user_version)
    if (version > schemaSteps.length)
      throw new StateUnusable(
        `${path} was written by a newer agent. Install that version again, or enrol this host anew.`,
      )
    if (version === 0) letShrink(store)
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
