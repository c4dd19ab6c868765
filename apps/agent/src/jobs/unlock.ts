// unlock: removes the locks nobody holds any more, and says which remain.
import { unlockArgs } from '../restic/args.ts'
import { shownCommand } from '../restic/shown-command.ts'
import { exitOf, failedOutcome, runCommand, targetOf } from './command.ts'
import type { JobContext, Outcome } from './context.ts'
import { listLockIds, readLocks } from './locks.ts'
import { checkRepository } from './preflight.ts'
import { outcomeOfSilence } from './query.ts'
import { collectWarnings } from './warnings.ts'

/** Never removes a lock that is held: that could destroy data. Safe to run twice. */
export async function unlock(context: JobContext): Promise<Outcome> {
  const target = targetOf(context)
  const args = unlockArgs(target)
  const unusable = await checkRepository(context)
  if (unusable !== undefined) return unusable
  try {
    const before = await listLockIds(context)
    const end = await runCommand(context, {
      args,
      deadlineMs: 2 * context.timing.probeDeadline,
      onSpawn: pid =>
        context.onStart({ command: shownCommand(target, args), resticVersion: context.restic.version, pid }),
      onLine: ({ stream, payload }) => context.onLine({ stream, payload }),
    })
    if (end.exit.exitCode !== 0) return failedOutcome(context, end)
    const remaining = await readLocks(context)
    const warnings = collectWarnings()
    for (const { exclusive, pid, hostname, createdAt } of remaining)
      warnings.add(
        'lock_held',
        `${exclusive ? 'An exclusive lock' : 'A lock'} of process ${pid} on ${hostname}, made at ${createdAt}, is still there.`,
      )
    return {
      status: 'succeeded',
      ...exitOf(end.exit),
      stats: { removed: Math.max(0, before.length - remaining.length), remaining: remaining.length },
      warnings: warnings.all(),
    }
  } catch (error) {
    return outcomeOfSilence(context, error)
  }
}
