// What a forget did or would do, as small as a message must be.
import type { ForgetTarget } from '@restic-manager/contract/command'
import type { ForgetPreview } from '@restic-manager/contract/retention'
import { fitText } from '../restic/fit-text.ts'
import type { ForgetGroup, ForgetSnapshot } from '../restic/forget-result.ts'

type PreviewGroup = ForgetPreview['groups'][number]
type PreviewSnapshot = PreviewGroup['keep'][number]

/** What was found of one target. A host that was renamed has several groups. */
export type TargetResult = { target: ForgetTarget; groups: readonly ForgetGroup[] }

const MAX_LISTED = 2_000
const MAX_BYTES = 240 * 1024

/** Counts are whole. Snapshots are listed, what goes first, as long as there is room: each target gets its share. */
export function previewOf(results: readonly TargetResult[], dryRun: boolean): ForgetPreview {
  for (let listed = MAX_LISTED; ; listed = Math.floor(listed / 2)) {
    const share = Math.floor(listed / Math.max(1, results.length))
    const preview = { dryRun, groups: results.map(result => groupOf(result, share)) }
    if (listed === 0 || Buffer.byteLength(JSON.stringify(preview)) <= MAX_BYTES) return preview
  }
}

function groupOf({ target, groups }: TargetResult, share: number): PreviewGroup {
  const remove = groups.flatMap(group => group.remove)
  const keep = groups.flatMap(group => group.keep.map((each, at) => ({ each, why: group.reasons[at] ?? [] })))
  const removeListed = remove.slice(0, Math.max(share - keep.length, Math.ceil(share / 2)))
  return {
    ...target,
    keepCount: keep.length,
    removeCount: remove.length,
    keep: keep.slice(0, share - removeListed.length).map(({ each, why }) => shown(each, why)),
    remove: removeListed.map(each => shown(each, [])),
  }
}

function shown({ id, time, paths }: ForgetSnapshot, reasons: readonly string[]): PreviewSnapshot {
  return {
    shortId: id.slice(0, 8),
    time: fitText(time, 40),
    paths: paths.slice(0, 20).map(path => fitText(path, 1_000)),
    reasons: reasons.slice(0, 20).map(reason => fitText(reason, 200)),
  }
}
