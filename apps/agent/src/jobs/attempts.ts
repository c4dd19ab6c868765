// What every long restic command needs around it: told when it begins, tried again while locked, cleared up after.
import { setTimeout as sleep } from 'node:timers/promises'
import { capabilitiesOf } from '../restic/version.ts'
import { failureOf, type CommandEnd } from './command.ts'
import type { JobContext } from './context.ts'
import { removeLeftLock } from './locks.ts'
import type { WarningList } from './warnings.ts'
import { steady } from '../timers.ts'

/** Tells of each process that works for the job: the first one begins it. `command` is the line a person sees. */
export function announceWork(context: JobContext, command: () => string): (pid: number) => void {
  let hasBegun = false
  return pid => {
    if (hasBegun) return context.onRespawn?.(pid)
    hasBegun = true
    context.onStart({ command: command(), resticVersion: context.restic.version, pid })
  }
}

/** Tries again for `timing.lockWait` while another restic holds the repository. A newer restic has waited by itself. */
export async function untilUnlocked<Attempt extends { end: CommandEnd }>(
  { timing, signal, restic }: JobContext,
  attempt: () => Promise<Attempt>,
): Promise<Attempt> {
  const giveUpAt = steady() + timing.lockWait
  for (;;) {
    const result = await attempt()
    if (capabilitiesOf(restic.version).retryLock || !isLocked(result.end)) return result
    if (signal.aborted || steady() + timing.lockRetry > giveUpAt) return result
    try {
      await sleep(timing.lockRetry, undefined, { signal })
    } catch {
      return result
    }
  }
}

const isLocked = (end: CommandEnd) => end.exit.exitCode === 1 && failureOf(end).reason === 'locked'

/** Given up because the storage never answered: it would not answer about locks either. */
const isOutOfReach = (end: CommandEnd) => end.unanswered && failureOf(end).reason === 'unreachable'

/** After a command that was killed, or interrupted while the storage was away: restic may have left its lock. */
export async function clearLeftLock(
  context: JobContext,
  end: CommandEnd,
  warnings: WarningList,
): Promise<void> {
  const { pid, signal, interrupted } = end.exit
  if (pid === undefined || (signal === undefined && !interrupted) || isOutOfReach(end)) return
  if (await removeLeftLock(context, pid))
    warnings.add(
      'lock_left',
      'A lock of this job may be left in the repository. Unlock it when nothing is running.',
    )
}
