// search.*: what a few letters could mean.
import { SearchFound, SearchRequest } from '@restic-manager/contract/search'
import { findInFleet } from '../fleet/search.ts'
import { router, viewer } from './trpc.ts'

export const searchRouter = router({
  /** Hosts, repositories and schedules with every word in their names; jobs by how their id begins, or by the words of kind and status, also with those of a host. */
  find: viewer({ input: SearchRequest, of: 'fleet' })
    .output(SearchFound)
    .query(({ ctx, input }) => findInFleet(ctx.db, ctx.scope, input)),
})
