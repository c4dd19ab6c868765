// What a forget did or would do, out of a job's result: each schedule's snapshots, newest first.
import { ForgetPreview } from '@restic-manager/contract/retention'

export type Judged = {
  shortId: string
  at: Date | undefined
  paths: string[]
  /** Which rules keep it; empty: it goes. */
  reasons: string[]
}
export type Group = {
  scheduleId: string
  hostId: string
  keepCount: number
  removeCount: number
  snapshots: Judged[]
}

const instantOf = (time: string): Date | undefined => {
  // restic writes nanoseconds, which not every browser reads.
  const at = new Date(time.replace(/(\.\d{3})\d+/, '$1'))
  return Number.isNaN(at.getTime()) ? undefined : at
}

type Listed = { shortId: string; time: string; paths: string[] }
const judged = ({ shortId, time, paths }: Listed, reasons: string[]): Judged => ({
  shortId,
  at: instantOf(time),
  paths,
  reasons,
})
/** restic says "daily snapshot"; beside a snapshot the second word only takes room. */
const inShort = (reason: string) => reason.replace(/ snapshot$/, '')

const newestFirst = (a: Judged, b: Judged) => (b.at?.getTime() ?? 0) - (a.at?.getTime() ?? 0)

/** Reads a forget's result; undefined when the job has none. */
export function forgetGroups(
  stats: Record<string, unknown> | null,
): { dryRun: boolean; groups: Group[] } | undefined {
  const parsed = ForgetPreview.safeParse(stats)
  if (!parsed.success) return undefined
  return {
    dryRun: parsed.data.dryRun,
    groups: parsed.data.groups.map(({ hostId, scheduleId, keepCount, removeCount, keep, remove }) => ({
      hostId,
      scheduleId,
      keepCount,
      removeCount,
      snapshots: [
        ...keep.map(snapshot => judged(snapshot, snapshot.reasons.map(inShort))),
        ...remove.map(snapshot => judged(snapshot, [])),
      ].toSorted(newestFirst),
    })),
  }
}
