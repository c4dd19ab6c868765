// Processes by id, without mistaking a recycled id for the process it once was.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { pauseFor } from './pause.ts'
import { steady } from './timers.ts'

/** How long a process may take to be gone after SIGKILL. */
const KILLED_MS = 10_000

/** When a process began, in the system's own words: two processes that shared an id differ in it. Undefined: it is gone. */
export function processStart(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      // The second field is a name in brackets that may hold anything; the start is the 22nd field.
      const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (state === 'Z' || state === 'X') return undefined
      // Counted from the start of the system: after a reboot the same count may come again.
      return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fields[18]}`
    }
    if (process.platform === 'win32') return isAlive(pid) ? 'unknown' : undefined
    const said = execFileSync('/bin/ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    return said === '' ? undefined : said
  } catch {
    return undefined
  }
}

/** Whether the very process that was seen before still runs. One whose beginning nobody saw could be anybody's. */
export function stillRuns(pid: number, started: string | undefined): boolean {
  return started !== undefined && processStart(pid) === started
}

/** The processes that back up under that tag. Only Linux says; elsewhere none are found. */
export function resticWithTag(tag: string): number[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .map(Number)
    .filter(
      pid => pid > 0 && pid !== process.pid && ['backup', tag].every(word => commandOf(pid).includes(word)),
    )
}

/**
 * Stops a process that another agent process had started: SIGINT, so that restic removes its lock, and SIGKILL when
 * it is still there after `graceMs`. Resolves with whether it is gone: one that waits for a dead disk cannot be
 * killed, and one of another user may not be. Resolves early when `hurry` aborts.
 */
export async function stopOrphan(pid: number, graceMs: number, hurry: AbortSignal): Promise<boolean> {
  const started = processStart(pid)
  if (started === undefined) return true
  if (!tell(pid, 'SIGINT')) return false
  const deadline = steady() + graceMs
  while (stillRuns(pid, started) && !hurry.aborted) {
    if (steady() > deadline + KILLED_MS) return false
    if (steady() > deadline) tell(pid, 'SIGKILL')
    await pauseFor(100, hurry)
  }
  return !stillRuns(pid, started)
}

function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return [] // it ended while we looked, or belongs to somebody else
  }
}

function tell(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
