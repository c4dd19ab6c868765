// job.*: what happens to a job on its host.
import { z } from 'zod'
import { Ack } from '@restic-manager/contract/fact'
import { JobFinished, JobProgress, JobStarted } from '@restic-manager/contract/job'
import { countForeignIds } from '../fleet/foreign-ids.ts'
import { keepProgress } from '../fleet/job-progress.ts'
import { finishJob, startJob } from '../fleet/job-reports.ts'
import { procedure, router } from './trpc.ts'

export const jobNoun = router({
  started: procedure
    .input(JobStarted)
    .output(Ack)
    .mutation(({ ctx, input }) =>
      countForeignIds(ctx, input.jobId, () => startJob(ctx.db, ctx.sender, input)),
    ),
  progress: procedure
    .input(JobProgress)
    .output(z.void())
    .mutation(({ ctx, input }) =>
      countForeignIds(ctx, input.jobId, () => keepProgress(ctx.db, ctx.sender, input)),
    ),
  finished: procedure
    .input(JobFinished)
    .output(Ack)
    .mutation(({ ctx, input }) =>
      countForeignIds(ctx, input.jobId, () => finishJob(ctx.db, ctx.sender, input, ctx.timing)),
    ),
})
