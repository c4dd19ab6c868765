// probe: is the repository there, do its storage and its password let this host in? Changes nothing.
import { catConfigArgs } from '../restic/args.ts'
import { shownCommand } from '../restic/shown-command.ts'
import { exitOf, failedOutcome, targetOf } from './command.ts'
import { openRepository } from './configuration.ts'
import type { JobContext, Outcome } from './context.ts'
import { rememberGood } from './preflight.ts'

/** Opens the repository and says in a sentence what stands in the way. Safe to run at any time, beside anything. */
export async function probe(context: JobContext): Promise<Outcome> {
  const target = targetOf(context)
  const opening = await openRepository(context, {
    onSpawn: pid =>
      context.onStart({
        command: shownCommand(target, catConfigArgs(target)),
        resticVersion: context.restic.version,
        pid,
      }),
    onLine: context.onLine,
  })
  if (!('resticId' in opening)) return failedOutcome(context, opening.end)
  rememberGood(context.repository)
  return { status: 'succeeded', ...exitOf(opening.end.exit), resticId: opening.resticId, warnings: [] }
}
