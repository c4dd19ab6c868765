// overview.*: the whole fleet at a glance.
import { EntryCounts, Overview } from '@restic-manager/contract/overview'
import { countEntries } from '../fleet/entry-counts.ts'
import { overviewOf } from '../fleet/overview.ts'
import { router, viewer } from './trpc.ts'

export const overviewRouter = router({
  /** The fleet at a glance: its worst state in numbers, what needs attention, what runs, and what is planned. */
  get: viewer({ of: 'fleet' })
    .output(Overview)
    .query(({ ctx }) => overviewOf(ctx.db, ctx.scope)),

  /** How many hosts, running jobs, repositories and open alerts there are. */
  counts: viewer({ of: 'fleet' })
    .output(EntryCounts)
    .query(({ ctx }) => countEntries(ctx.db, ctx.scope)),
})
