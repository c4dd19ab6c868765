// snapshots.*: pages of a host's list of restore points.
import { Ack } from '@restic-manager/contract/fact'
import { SnapshotsReport } from '@restic-manager/contract/snapshots'
import { keepSnapshotReport } from '../fleet/snapshots.ts'
import { procedure, router } from './trpc.ts'

export const snapshotsNoun = router({
  report: procedure
    .input(SnapshotsReport)
    .output(Ack)
    .mutation(({ ctx, input }) => keepSnapshotReport(ctx.db, ctx.sender, input)),
})
