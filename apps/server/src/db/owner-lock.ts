// One owner for a data directory: a lock the kernel lets go of when its holder dies, whatever killed it.
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'

/** Who holds a data directory: a server for its whole life, an admin command for a moment. */
export type Owner = { pid: number; role: 'server' | 'admin' }

export type OwnerLock = { release(): void }

/**
 * Tries to become the owner. The lock is SQLite's own exclusive file lock: Node has no flock, and a file with a
 * pid in it can neither be taken over without a race nor be told from a recycled pid.
 */
export function tryOwning(dataDir: string, role: Owner['role']): OwnerLock | undefined {
  const file = join(dataDir, 'owner.lock')
  makeFile(file)
  const lock = new DatabaseSync(file)
  try {
    lock.exec('pragma journal_mode = memory; begin exclusive')
  } catch (error) {
    lock.close()
    if (error instanceof Error && /locked/.test(error.message)) return undefined
    throw error
  }
  const card = join(dataDir, 'owner.json')
  writeFileSync(card, JSON.stringify({ pid: process.pid, role } satisfies Owner), { mode: 0o600 })
  return {
    release() {
      rmSync(card, { force: true })
      lock.close()
    },
  }
}

/**
 * Whoever may read the file may lock it. One that is there is not opened: closing it again would let go of every lock
 * that this process holds on it.
 */
function makeFile(file: string) {
  try {
    closeSync(openSync(file, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

/** Waits up to `waitMs` for the present owner to go. Undefined: it stayed. */
export async function ownWithin(dataDir: string, role: Owner['role'], waitMs: number) {
  const deadline = performance.now() + waitMs
  for (;;) {
    const lock = tryOwning(dataDir, role)
    if (lock !== undefined || performance.now() >= deadline) return lock
    await sleep(100)
  }
}

/** Who says to be the owner. Only meaningful while the lock is held by somebody. */
export function readOwner(dataDir: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(join(dataDir, 'owner.json'), 'utf8')) as Owner
  } catch {
    return undefined
  }
}
