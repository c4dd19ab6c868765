// One agent per state directory: a second one is refused, and a dead one holds nothing.
import { chmodSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { readFileIfThere, savePrivateFile } from './files.ts'
import { isDiskFull } from './reserve.ts'

/** Another agent works in the same state directory. */
export class StateInUse extends Error {}

/**
 * Takes a state directory for this process. The lock is the system's own on an open file, so it ends with the
 * process, however that ends. Throws `StateInUse` when somebody else has it.
 */
export function lockState(stateDir: string): { release(): void } {
  const held = tryLock(stateDir)
  if (held === undefined) {
    const holder = lockHolder(stateDir)
    const who = holder === undefined ? 'Another agent' : `Another agent (process ${holder})`
    throw new StateInUse(
      `${who} already works in ${stateDir}. Stop it first, or give this one its own --state-dir.`,
    )
  }
  try {
    savePrivateFile(join(stateDir, 'agent.pid'), `${process.pid}\n`)
  } catch (error) {
    if (!isDiskFull(error)) throw error // it only tells a person who holds the lock
  }
  return { release: () => held.close() }
}

/** Whether an agent works in this state directory now. */
export function isStateLocked(stateDir: string): boolean {
  const held = tryLock(stateDir)
  held?.close()
  return held === undefined
}

/** The process that took the directory last. */
export function lockHolder(stateDir: string): number | undefined {
  const pid = Number(readFileIfThere(join(stateDir, 'agent.pid')))
  return Number.isInteger(pid) && pid > 0 ? pid : undefined
}

function tryLock(stateDir: string): DatabaseSync | undefined {
  const path = join(stateDir, 'agent.lock')
  try {
    return tryLockOf(path)
  } catch (error) {
    if ((error as { errcode?: number }).errcode !== SQLITE_NOTADB) throw error
    rmSync(path) // nothing is kept in it, and nobody can hold a lock on what it has become
    return tryLockOf(path)
  }
}

const SQLITE_BUSY = 5
const SQLITE_NOTADB = 26

function tryLockOf(path: string): DatabaseSync | undefined {
  const db = new DatabaseSync(path, { timeout: 500 })
  try {
    chmodSync(path, 0o600)
    // Nothing is ever written to it. A journal on the disk would keep an agent from starting on a full one.
    db.exec('pragma journal_mode = memory; begin exclusive')
    return db
  } catch (error) {
    db.close()
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined
    throw error
  }
}
