// The arguments of what changes or reads a repository as a whole: forget, prune and check.
import type { Retention } from '@restic-manager/contract/retention'
import { countRules, durationRules } from '@restic-manager/contract/retention-rules'
import { globalArgs, retryLockArgs, type Target } from './args.ts'

const keepFlags = {
  last: '--keep-last',
  hourly: '--keep-hourly',
  daily: '--keep-daily',
  weekly: '--keep-weekly',
  monthly: '--keep-monthly',
  yearly: '--keep-yearly',
  within: '--keep-within',
  withinHourly: '--keep-within-hourly',
  withinDaily: '--keep-within-daily',
  withinWeekly: '--keep-within-weekly',
  withinMonthly: '--keep-within-monthly',
  withinYearly: '--keep-within-yearly',
} as const satisfies Record<Exclude<keyof Retention, 'tags'>, string>

export type ForgetRequest = {
  retention: Retention
  /** Tags that a snapshot must all carry. Given to restic as one flag: as several they would mean any of them. */
  tags: readonly string[]
  lockWaitMs: number
}

/**
 * Grouped by host alone: by paths, an old set of folders would keep its last snapshots for ever. Never with `--prune`.
 * The policy must have been found safe before. A dry run takes no lock.
 */
export function forgetArgs(
  target: Target,
  { retention, tags, lockWaitMs }: ForgetRequest,
  { dryRun }: { dryRun: boolean },
): string[] {
  return [
    ...globalArgs(target),
    'forget',
    '--json',
    ...(dryRun ? ['--dry-run', '--no-lock'] : retryLockArgs(target, lockWaitMs)),
    ...keepArgs(retention),
    '--group-by',
    'host',
    '--tag',
    tags.join(','),
  ]
}

/** Only rules that keep something: an old restic takes a negative number for "remove everything". */
function keepArgs(retention: Retention): string[] {
  const counts = countRules.flatMap(name => {
    const count = retention[name] ?? 0
    return count > 0 ? [`${keepFlags[name]}=${count}`] : []
  })
  const durations = durationRules.flatMap(name => {
    const duration = retention[name]
    return duration === undefined ? [] : [`${keepFlags[name]}=${duration}`]
  })
  return [...counts, ...durations, ...(retention.tags ?? []).map(tag => `--keep-tag=${tag}`)]
}

export type PruneRequest = {
  maxUnusedPercent?: number | undefined
  maxUnusedBytes?: number | undefined
  maxRepackBytes?: number | undefined
  lockWaitMs: number
}

export function pruneArgs(target: Target, request: PruneRequest): string[] {
  const unused = unusedLimit(request)
  return [
    ...globalArgs(target),
    'prune',
    ...retryLockArgs(target, request.lockWaitMs),
    ...(unused === undefined ? [] : [`--max-unused=${unused}`]),
    ...(request.maxRepackBytes === undefined ? [] : [`--max-repack-size=${request.maxRepackBytes}`]),
  ]
}

/** restic takes no 100 %. */
function unusedLimit({ maxUnusedPercent, maxUnusedBytes }: PruneRequest): string | undefined {
  if (maxUnusedPercent !== undefined) return maxUnusedPercent >= 100 ? 'unlimited' : `${maxUnusedPercent}%`
  return maxUnusedBytes === undefined ? undefined : String(maxUnusedBytes)
}

export type CheckRequest = {
  readPercent?: number | undefined
  readPart?: { part: number; of: number } | undefined
  lockWaitMs: number
}

/** Words, not JSON: a check that speaks JSON tells nothing until it has ended. */
export function checkArgs(target: Target, { readPercent, readPart, lockWaitMs }: CheckRequest): string[] {
  const subset =
    readPart !== undefined
      ? `${readPart.part}/${readPart.of}`
      : readPercent === undefined
        ? undefined
        : `${readPercent}%`
  return [
    ...globalArgs(target),
    'check',
    ...retryLockArgs(target, lockWaitMs),
    ...(subset === undefined ? [] : [`--read-data-subset=${subset}`]),
  ]
}
