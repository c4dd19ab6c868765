// jobs.*: run, cancel, look, and follow one while it runs.
import { tracked } from '@trpc/server'
import { z } from 'zod'
import { Id } from '@restic-manager/contract/ids'
import {
  JobListRequest,
  JobLogRequest,
  JobRequest,
  JobRetryRequest,
  JobRunRequest,
  JobTailRequest,
} from '@restic-manager/contract/requests'
import { hasInlineHook } from '@restic-manager/contract/command'
import { type JobLive, JobPage, JobView, LogPage } from '@restic-manager/contract/views'
import type { OperatorContext } from '../context.ts'
import { unlessOutage } from '../db/outage.ts'
import { hostOfJob, jobPage, liveJob, viewJob } from '../fleet/job-views.ts'
import { cancelJob, runJob } from '../fleet/jobs.ts'
import { readLog } from '../fleet/logs.ts'
import { changedByJob, jobRemoves, removes } from '../fleet/removals.ts'
import { retryJob } from '../fleet/retries.ts'
import type { Scope, Thing } from '../fleet/scope.ts'
import { withWireErrors } from '../wire-errors.ts'
import { operator, router, viewer } from './trpc.ts'

/** Lines in one message of a tail. */
const TAIL_LINES = 1_000

export const jobsRouter = router({
  /** Jobs, a page at a time, the newest first. What did not run stands in the same list, with its reason. */
  list: viewer({ input: JobListRequest, of: 'fleet' })
    .output(JobPage)
    .query(({ ctx, input }) => jobPage(ctx.db, ctx.scope, input)),
  /** Everything about one job. */
  get: viewer({ input: JobRequest, of: { jobId: 'job' } })
    .output(JobView)
    .query(({ ctx, input }) => viewJob(ctx.db, input.jobId)),
  /**
   * Orders one job on a host, now. The answer names it; `jobs.follow` tells its end.
   * @throws host_quarantined host_waiting repository_not_on_host not_maintenance_host repository_busy risk_not_accepted refused_by_policy
   */
  run: operator({
    input: JobRunRequest,
    of: { hostId: 'host', repositoryId: 'repository' },
    also: thingsOfRun,
    makes: { kind: 'job', field: 'jobId' },
    fresh: ({ kind, spec }) => removes(kind, spec) || hasInlineHook(spec),
  })
    .output(z.object({ jobId: Id }))
    .mutation(({ ctx, input }) => runJob(ctx.db, input, { requestedBy: ctx.principal.email, ...ctx.timing })),
  /**
   * Runs an ended job again, as a new one.
   * @throws job_not_ended repository_not_on_host repository_busy refused_by_policy
   */
  retry: operator({
    input: JobRetryRequest,
    of: { jobId: 'job' },
    also: ({ jobId }, db) => changedByJob(db, jobId),
    makes: { kind: 'job', field: 'jobId' },
    fresh: ({ jobId }, db) => jobRemoves(db, jobId),
  })
    .output(z.object({ jobId: Id }))
    .mutation(({ ctx, input }) =>
      retryJob(ctx.db, input, { requestedBy: ctx.principal.email, ...ctx.timing }),
    ),
  /**
   * Has the host stop the job. One that nobody has started ends at once; of another `jobs.follow` tells the end.
   * @throws job_ended
   */
  cancel: operator({ input: JobRequest, of: { jobId: 'job' } })
    .output(z.void())
    .mutation(({ ctx, input }) =>
      cancelJob(ctx.db, { ...input, requestedBy: ctx.principal.email }, ctx.timing),
    ),
  /** Lines of a job's log from a number on. */
  log: viewer({ input: JobLogRequest, of: { jobId: 'job' } })
    .output(LogPage)
    .query(({ ctx, input }) => readLog(ctx.db, input)),

  /**
   * How a job stands, now and whenever that changes. Newest wins: what a slow reader missed is not said again.
   * @yields JobLive
   */
  follow: viewer({ input: JobRequest, of: { jobId: 'job' } }).subscription(({ ctx, input, signal }) =>
    withWireErrors(followJob(ctx, input.jobId, signal)),
  ),
  /**
   * A job's log as it comes, from a number on. Every value has an id, so a broken subscription goes on where it was.
   * @yields LogPage
   */
  tail: viewer({ input: JobTailRequest, of: { jobId: 'job' } }).subscription(({ ctx, input, signal }) =>
    withWireErrors(tailLog(ctx, input, signal)),
  ),
})

/** Whose snapshots a forget thins; and the repository, when it is changed for everybody who uses it. */
function thingsOfRun({ kind, spec, repositoryId }: JobRunRequest): Thing[] {
  const isForAll = removes(kind, spec) || kind === 'unlock'
  return [
    ...(kind === 'forget'
      ? spec.targets.flatMap(({ hostId, scheduleId }) => [
          { kind: 'host' as const, id: hostId },
          { kind: 'schedule' as const, id: scheduleId },
        ])
      : []),
    ...(isForAll ? [{ kind: 'shared repository' as const, id: repositoryId }] : []),
  ]
}

type Watcher = Pick<OperatorContext, 'db' | 'bus' | 'closed' | 'room' | 'floor'> & { scope: Scope }

/** Status and numbers of one job. Newest wins: what a slow reader missed is not said again. */
async function* followJob(
  { db, bus, closed, room, scope }: Watcher,
  jobId: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<JobLive> {
  const until = signal === undefined ? closed : AbortSignal.any([closed, signal])
  // The host too: whether it is online is half of what a running job looks like.
  const hostId = await hostOfJob(db, jobId)
  const ofJob = (['job', 'progress', 'log'] as const).map(topic => ({ topic, id: jobId }))
  const watch = [...ofJob, { topic: 'host' as const, id: hostId }]
  let said: string | undefined
  for await (const _ of bus.wakeups(watch, until)) {
    const live = await unlessOutage(() => liveJob(db, jobId, scope))
    const saying = JSON.stringify(live)
    if (live === undefined || saying === said) continue
    await room()
    if (until.aborted) return
    yield live
    said = saying
  }
}

/** The log as it comes. Every value is tracked by the number to go on from, so a broken tail is taken up where it ended. */
async function* tailLog(
  { db, bus, closed, floor, scope }: Watcher,
  { jobId, fromSeq, lastEventId }: z.infer<typeof JobTailRequest>,
  signal: AbortSignal | undefined,
) {
  const until = signal === undefined ? closed : AbortSignal.any([closed, signal])
  let nextSeq = /^\d{1,15}$/.test(lastEventId ?? '') ? Number(lastEventId) : fromSeq
  let isFirst = true
  for await (const _ of bus.wakeups([{ topic: 'log', id: jobId }], until)) {
    for (;;) {
      using _floor = await floor()
      const page: LogPage | undefined = await unlessOutage(() =>
        readLog(db, { jobId, fromSeq: nextSeq, limit: TAIL_LINES }, scope),
      )
      if (page === undefined || until.aborted) break
      if (page.entries.length > 0 || isFirst) yield tracked(String(page.nextSeq), page)
      isFirst = false
      nextSeq = page.nextSeq
      // No entries before the end: that part of the log is gone, and asking at once again would not bring it back.
      if (page.atEnd || page.entries.length === 0) break
    }
  }
}
