// Snapshots as the server mirrors them, and the paged report that replaces the mirror.
import { z } from 'zod'
import { Fact } from './fact.ts'
import { Id } from './ids.ts'
import { Count, Instant, text } from './scalars.ts'

/** A restic snapshot. `sizeBytes` and `fileCount` are 0 where restic is too old to say. */
export const Snapshot = z.object({
  id: z.string().regex(/^[0-9a-f]{64}$/),
  shortId: z.string().regex(/^[0-9a-f]{8}$/),
  time: Instant,
  hostname: text(300),
  paths: z.array(text(4_096)).max(1_000),
  tags: z.array(text(300)).max(200),
  sizeBytes: Count,
  fileCount: Count,
})
export type Snapshot = z.infer<typeof Snapshot>

/** `own`: the snapshots with the sender's `rm-host` tag. `whole`: all of them, for the maintenance host only. */
export const ReportScope = z.enum(['own', 'whole'])

/** The most bytes of JSON one page of a report may take. */
export const MAX_REPORT_PAGE_BYTES = 256 * 1024

/** `snapshots.report`: one page (numbered from 0) of the full list of a scope. The list is swapped in when all pages of a report are in. */
export const SnapshotsReport = z.object({
  ...Fact.shape,
  repositoryId: Id,
  reportId: Id,
  scope: ReportScope,
  page: z.int().min(0).max(9_999),
  pages: z.int().min(1).max(10_000),
  snapshots: z.array(Snapshot).max(5_000),
})
export type SnapshotsReport = z.infer<typeof SnapshotsReport>

/** The tag names that tie a snapshot to what made it. */
export const snapshotTags = {
  host: (hostId: Id) => `rm-host=${hostId}`,
  schedule: (scheduleId: Id) => `rm-schedule=${scheduleId}`,
  job: (jobId: Id) => `rm-job=${jobId}`,
}

/** The id behind one of our tags; undefined when the snapshot carries none. */
export function taggedId(
  tags: readonly string[],
  name: 'rm-host' | 'rm-schedule' | 'rm-job',
): Id | undefined {
  const tag = tags.find(candidate => candidate.startsWith(`${name}=`))
  const id = Id.safeParse(tag?.slice(name.length + 1))
  return id.success ? id.data : undefined
}
