// snapshots.*: the restore points, as the agents reported them.
import { SnapshotListRequest, SnapshotRequest } from '@restic-manager/contract/requests'
import { SnapshotPage, SnapshotRow } from '@restic-manager/contract/snapshot-views'
import { snapshotPage, viewSnapshot } from '../fleet/snapshot-views.ts'
import { router, viewer } from './trpc.ts'

export const snapshotsRouter = router({
  /** Restore points, a page at a time, the newest first. */
  list: viewer({ input: SnapshotListRequest, of: 'fleet' })
    .output(SnapshotPage)
    .query(({ ctx, input }) => snapshotPage(ctx.db, ctx.scope, input)),
  /** One restore point. */
  get: viewer({ input: SnapshotRequest, of: { repositoryId: 'repository' } })
    .output(SnapshotRow)
    .query(({ ctx, input }) => viewSnapshot(ctx.db, input, ctx.scope)),
})
