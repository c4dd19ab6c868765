// check: is the repository whole? Optionally some of the data is read back, as far as a run is told to.
import { promises as disk } from 'node:fs'
import { join } from 'node:path'
import type { CheckSpec } from '@restic-manager/contract/command'
import { checkArgs } from '../restic/maintenance-args.ts'
import { shownCommand } from '../restic/shown-command.ts'
import { readStage } from '../restic/stages.ts'
import { announceWork } from './attempts.ts'
import { exitOf, targetOf } from './command.ts'
import type { JobContext, Outcome } from './context.ts'
import { failedExclusive, runExclusive } from './exclusive.ts'
import { checkRepository, forgetGood, rememberGood } from './preflight.ts'
import type { Stage } from './stage-progress.ts'
import { collectWarnings, type WarningList } from './warnings.ts'

const structure: Stage = { what: /snapshots$/, from: 0, to: 0.99 }
const withData: readonly Stage[] = [
  { what: /snapshots$/, from: 0, to: 0.2 },
  { what: /packs$/, from: 0.2, to: 0.99 },
]

const hints: readonly (readonly [RegExp, string, string])[] = [
  [
    /additional files were found in the repo/,
    'suggest_prune',
    'There are files that nothing refers to, as an interrupted backup leaves them. A prune removes them.',
  ],
  [
    /repair index|rebuild-index/,
    'suggest_repair_index',
    'The index lists some packs more than once. restic repair index would put that right.',
  ],
]

/** What follows the errors in a new restic: advice, not damage. */
const advice = /^(The repository (contains damaged|is damaged)|restic repair |Damaged pack files|Fatal: |$)/

/** Damage ends it as failed with the reason `damaged`. `stats`: how many errors, how many packs were read. Safe to run twice. */
export async function check(context: JobContext, spec: CheckSpec): Promise<Outcome> {
  const unusable = await checkRepository(context)
  if (unusable !== undefined) return unusable
  // restic makes a cache just for this. What a killed one leaves must not stay for ever.
  const cache = await disk.mkdtemp(join(context.folders.temp, 'check-'))
  try {
    return await checkWith({ ...context, folders: { ...context.folders, cache } }, spec)
  } finally {
    await disk.rm(cache, { recursive: true, force: true }).catch(() => {})
  }
}

async function checkWith(context: JobContext, spec: CheckSpec): Promise<Outcome> {
  const target = targetOf(context)
  const args = checkArgs(target, { ...spec, lockWaitMs: context.timing.lockWait })
  const readsData = spec.readPercent !== undefined || spec.readPart !== undefined
  const warnings = collectWarnings()
  const damage = collectWarnings()
  let packsRead = 0
  const result = await runExclusive(context, {
    args,
    warnings,
    stages: readsData ? withData : [structure],
    onSpawn: announceWork(context, () => shownCommand(target, args)),
    onText: (line, stream) => {
      const stage = readStage(line)
      if (stage?.what === 'packs') packsRead = stage.done
      hearHints(line, warnings)
      if (stream === 'stderr' && !advice.test(line)) damage.add('damage', line)
    },
  })
  const stats = { ...(readsData ? { packsRead } : {}), errors: 0 }
  if (result.end.exit.exitCode === 0) {
    rememberGood(context.repository)
    return { status: 'succeeded', ...exitOf(result.end.exit), stats, warnings: warnings.all() }
  }
  forgetGood(context.repository)
  const failed = failedExclusive(context, result, warnings)
  if (failed.reason !== 'damaged') return failed
  const found = damage.all()
  return {
    ...failed,
    stats: { ...stats, errors: Math.max(1, found.length) },
    warnings: [...warnings.all(), ...found],
  }
}

function hearHints(line: string, warnings: WarningList): void {
  for (const [words, code, message] of hints) if (words.test(line)) warnings.add(code, message)
}
