// Processes by id, without mistaking a recycled id for the process it once was.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** When a process began, in the system's own words: two processes that shared an id differ in it. Undefined: it is gone. */
export function processStart(pid: number): string | undefined {
  try {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      // The second field is a name in brackets that may hold anything; the start is the 22nd field.
      const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return state === 'Z' || state === 'X' ? undefined : fields[18]
    }
    if (process.platform === 'win32') return isAlive(pid) ? 'unknown' : undefined
    const said = execFileSync('/bin/ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    return said === '' ? undefined : said
  } catch {
    return undefined
  }
}

/** Whether the very process that was seen before still runs. */
export function stillRuns(pid: number, started: string | undefined): boolean {
  const now = processStart(pid)
  return now !== undefined && (started === undefined || now === started)
}

/** The processes whose command line holds that word. Only Linux says; elsewhere none are found. */
export function processesWith(word: string): number[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .map(Number)
    .filter(pid => pid > 0 && pid !== process.pid && commandOf(pid).some(each => each.includes(word)))
}

/**
 * Stops a process that another agent process had started: SIGINT, so that restic removes its lock, and SIGKILL when
 * it is still there after `graceMs`. Resolves when it is gone.
 */
export async function stopOrphan(pid: number, graceMs: number): Promise<void> {
  const started = processStart(pid)
  if (started === undefined) return
  tell(pid, 'SIGINT')
  const deadline = performance.now() + graceMs
  while (stillRuns(pid, started)) {
    if (performance.now() > deadline) tell(pid, 'SIGKILL')
    await sleep(100)
  }
}

function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return [] // it ended while we looked, or belongs to somebody else
  }
}

function tell(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
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
