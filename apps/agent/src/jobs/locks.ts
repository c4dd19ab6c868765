// The locks of a repository: reading them, and clearing away what a killed restic of this host left behind.
import type { RepositoryLock } from '@restic-manager/contract/repository'
import { hostname } from 'node:os'
import { catLockArgs, listLocksArgs, unlockArgs } from '../restic/args.ts'
import { fitText } from '../restic/fit-text.ts'
import { asCount, asInstant, asObject, asText, parseDocument } from '../restic/messages.ts'
import { LOCKLESS_GRACE_MS, runCommand, targetOf } from './command.ts'
import type { RepositoryContext } from './context.ts'
import { ask } from './query.ts'

/** Each lock costs half a second of CPU to read. More than this are not looked at. */
const MAX_READ = 50

/** The locks that lie in the repository now, at most 50. Takes none itself. Throws `ResticFailure`. */
export async function readLocks(context: RepositoryContext): Promise<RepositoryLock[]> {
  const locks: RepositoryLock[] = []
  for (const id of (await listLockIds(context)).slice(0, MAX_READ)) {
    const lock = await readLock(context, id)
    if (lock !== undefined) locks.push(lock)
  }
  return locks
}

/** The ids of the locks that lie in the repository now. Throws `ResticFailure`. */
export async function listLockIds(context: RepositoryContext): Promise<string[]> {
  const text = await ask(context, listLocksArgs(targetOf(context)), context.timing.probeDeadline)
  return text.split('\n').filter(line => /^[0-9a-f]{64}$/.test(line.trim()))
}

/**
 * After a restic of this host was killed: removes its lock when it left one. restic tells by the pid that nobody
 * holds it. Returns whether a lock is left after all. Never throws: the job has ended as it has.
 */
export async function removeLeftLock(context: RepositoryContext, pid: number): Promise<boolean> {
  // The job's own signal may be what ended it.
  const patient = { ...context, signal: new AbortController().signal }
  const isLeft = async () =>
    (await readLocks(patient)).some(lock => lock.pid === pid && lock.hostname === hostname())
  try {
    if (!(await isLeft())) return false
    await runCommand(patient, {
      args: unlockArgs(targetOf(patient)),
      deadlineMs: patient.timing.probeDeadline,
      graceMs: LOCKLESS_GRACE_MS,
    })
    return await isLeft()
  } catch {
    return true
  }
}

async function readLock(context: RepositoryContext, id: string): Promise<RepositoryLock | undefined> {
  let text: string
  try {
    text = await ask(context, catLockArgs(targetOf(context), id), context.timing.probeDeadline)
  } catch (error) {
    // A lock that is gone by now is the best of news; anything else the list would have met too.
    if (context.signal.aborted) throw error
    return undefined
  }
  const lock = asObject(parseDocument(text))
  const createdAt = asInstant(lock.time)
  if (createdAt === undefined) return undefined
  return {
    hostname: fitText(asText(lock.hostname) || 'unknown', 200),
    pid: asCount(lock.pid),
    createdAt,
    exclusive: lock.exclusive === true,
  }
}
