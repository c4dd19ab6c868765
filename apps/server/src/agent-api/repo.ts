// repo.*: size and lock state of a repository as one host sees it.
import { z } from 'zod'
import { RepoStats } from '@restic-manager/contract/repository'
import { keepStats } from '../fleet/repository-stats.ts'
import { procedure, router } from './trpc.ts'

export const repoNoun = router({
  stats: procedure
    .input(RepoStats)
    .output(z.void())
    .mutation(({ ctx, input }) => keepStats(ctx.db, ctx.sender, input)),
})
