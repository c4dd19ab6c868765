// How large a repository is. restic walks all trees for it: not for every refresh.
import type { RepoStats } from '@restic-manager/contract/repository'
import { rawStatsArgs, snapshotsArgs } from '../restic/args.ts'
import { asCount, asObject, parseDocument } from '../restic/messages.ts'
import { targetOf } from './command.ts'
import type { RepositoryContext } from './context.ts'
import { ask } from './query.ts'

/** An hour is enough for the trees of any repository one would ask. */
const STATS_DEADLINE_MS = 3_600_000

/**
 * Size, number of snapshots, and how much more the snapshots hold than is stored. The last is left out where a
 * snapshot does not say its size: counting would mean to restore everything in thought. Throws `ResticFailure`.
 */
export async function readStats(
  context: RepositoryContext,
): Promise<Required<Pick<RepoStats, 'sizeBytes' | 'snapshotCount'>> & Pick<RepoStats, 'dedupRatio'>> {
  const target = targetOf(context)
  const stats = asObject(parseDocument(await ask(context, rawStatsArgs(target), STATS_DEADLINE_MS)))
  const list = parseDocument(await ask(context, snapshotsArgs(target)))
  const snapshots = Array.isArray(list) ? list.map(asObject) : []
  const sizeBytes = asCount(stats.total_size)
  const sizes = snapshots.map(({ summary }) => asObject(summary).total_bytes_processed)
  const known = sizes.length > 0 && sizeBytes > 0 && sizes.every(size => typeof size === 'number')
  const held = sizes.reduce<number>((sum, size) => sum + asCount(size), 0)
  return { sizeBytes, snapshotCount: snapshots.length, ...(known ? { dedupRatio: held / sizeBytes } : {}) }
}
