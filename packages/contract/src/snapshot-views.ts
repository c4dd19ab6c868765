// Snapshots as operators see them.
import { z } from 'zod'
import { Id } from './ids.ts'
import { EndStatus } from './job.ts'
import { Retention } from './retention.ts'

/** A snapshot in a list, with what made it. */
export const SnapshotRow = z.object({
  id: z.string(),
  shortId: z.string(),
  time: z.date(),
  hostname: z.string(),
  paths: z.array(z.string()),
  tags: z.array(z.string()),
  sizeBytes: z.number(), // 0: restic too old to say
  fileCount: z.number(),
  repositoryId: Id,
  repositoryName: z.string(),
  hostId: Id.nullable(),
  jobId: Id.nullable(),
  jobStatus: EndStatus.nullable(),
  retention: Retention.nullable(), // what thins the snapshots of its schedule; null: nothing that is planned
})
export type SnapshotRow = z.infer<typeof SnapshotRow>

export const SnapshotPage = z.object({
  rows: z.array(SnapshotRow),
  nextCursor: z.string().nullable(),
  total: z.number(),
})
export type SnapshotPage = z.infer<typeof SnapshotPage>
