// jobs.*: run, cancel, look, and follow one while it runs.
import { tracked } from '@trpc/server'
import { z } from 'zod'
import { Id } from '@restic-manager/contract/ids'
import {
  JobListRequest,
  JobLogRequest,
  JobRequest,
  JobRunRequest,
  JobTailRequest,
} from '@restic-manager/contract/requests'
import { type JobLive, JobPage, JobView, LogPage } from '@restic-manager/contract/views'
import { jobPage, liveJob, viewJob } from '../fleet/job-views.ts'
import { cancelJob, runJob } from '../fleet/jobs.ts'
import { readLog } from '../fleet/logs.ts'
import { operator, router, viewer } from './trpc.ts'

/** Lines in one message of a tail. */
const TAIL_LINES = 1_000

export const jobsRouter = router({
  list: viewer
    .input(JobListRequest)
    .output(JobPage)
    .query(({ ctx, input }) => jobPage(ctx.db, input)),
  get: viewer
    .input(JobRequest)
    .output(JobView)
    .query(({ ctx, input }) => viewJob(ctx.db, input.jobId)),
  run: operator
    .input(JobRunRequest)
    .output(z.object({ jobId: Id }))
    .mutation(({ ctx, input }) =>
      runJob(ctx.db, input, { requestedBy: ctx.principal.email, queuedLife: ctx.timing.queuedLife }),
    ),
  cancel: operator
    .input(JobRequest)
    .output(z.void())
    .mutation(({ ctx, input }) => cancelJob(ctx.db, { ...input, requestedBy: ctx.principal.email })),
  log: viewer
    .input(JobLogRequest)
    .output(LogPage)
    .query(({ ctx, input }) => readLog(ctx.db, input)),

  /** Status and numbers of one job. Newest wins: what a slow reader missed is not sent again. */
  follow: viewer.input(JobRequest).subscription(async function* ({
    ctx,
    input,
    signal,
  }): AsyncGenerator<JobLive> {
    const until = signal === undefined ? ctx.closed : AbortSignal.any([ctx.closed, signal])
    const topics = ['job', 'progress'] as const
    const watch = topics.map(topic => ({ topic, id: input.jobId }))
    let said: string | undefined
    for await (const _ of ctx.bus.wakeups(watch, until)) {
      const live = await liveJob(ctx.db, input.jobId)
      const saying = JSON.stringify(live)
      if (saying === said) continue
      await ctx.room()
      yield live
      said = saying
    }
  }),

  /** The log as it comes. Every value is tracked by the number to go on from, so a broken tail is taken up where it ended. */
  tail: viewer.input(JobTailRequest).subscription(async function* ({ ctx, input, signal }) {
    const until = signal === undefined ? ctx.closed : AbortSignal.any([ctx.closed, signal])
    const resumeAt = /^\d{1,15}$/.test(input.lastEventId ?? '') ? Number(input.lastEventId) : input.fromSeq
    let fromSeq = resumeAt
    let first = true
    for await (const _ of ctx.bus.wakeups([{ topic: 'log', id: input.jobId }], until)) {
      let atEnd = false
      while (!atEnd && !until.aborted) {
        const page: LogPage = await readLog(ctx.db, { jobId: input.jobId, fromSeq, limit: TAIL_LINES })
        if (page.entries.length > 0 || first) {
          await ctx.room()
          yield tracked(String(page.nextSeq), page)
        }
        first = false
        fromSeq = page.nextSeq
        atEnd = page.atEnd
      }
    }
  }),
})
