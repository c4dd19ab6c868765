// prune: frees the space of what no snapshot needs any more. Stopping it is safe: the next one goes on.
import type { PruneSpec } from '@restic-manager/contract/command'
import { pruneArgs } from '../restic/maintenance-args.ts'
import { shownCommand } from '../restic/shown-command.ts'
import { readPruneFigures } from '../restic/stages.ts'
import { announceWork } from './attempts.ts'
import { exitOf, targetOf } from './command.ts'
import type { JobContext, Outcome } from './context.ts'
import { failedExclusive, runExclusive } from './exclusive.ts'
import { checkRepository, forgetGood, rememberGood } from './preflight.ts'
import type { Stage } from './stage-progress.ts'
import { collectWarnings } from './warnings.ts'

/** Repacking takes most of the time. "packs processed" comes twice: when they are chosen, and for an old index. */
const stages: readonly Stage[] = [
  { what: /snapshots$/, from: 0, to: 0.2 },
  { what: /packs processed$/, from: 0.2, to: 0.25 },
  { what: /packs repacked$/, from: 0.25, to: 0.85 },
  { what: /(packs|indexes) processed$/, from: 0.85, to: 0.95 },
  { what: /deleted$/, from: 0.95, to: 0.99 },
]

/** `stats`: how much goes, how much stays, how much of that is unused. Safe to run twice. */
export async function prune(context: JobContext, spec: PruneSpec): Promise<Outcome> {
  const unusable = await checkRepository(context)
  if (unusable !== undefined) return unusable
  const target = targetOf(context)
  const args = pruneArgs(target, { ...spec, lockWaitMs: context.timing.lockWait })
  const warnings = collectWarnings()
  const figures: Record<string, number> = {}
  const result = await runExclusive(context, {
    args,
    warnings,
    stages,
    onSpawn: announceWork(context, () => shownCommand(target, args)),
    onText: line => Object.assign(figures, readPruneFigures(line)),
  })
  if (result.end.exit.exitCode !== 0) {
    forgetGood(context.repository)
    return failedExclusive(context, result, warnings)
  }
  rememberGood(context.repository)
  return { status: 'succeeded', ...exitOf(result.end.exit), stats: figures, warnings: warnings.all() }
}
