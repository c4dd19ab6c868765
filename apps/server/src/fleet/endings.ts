// What follows when an agent has reported the end of a job: another attempt, the result of a check, the next in the line.
import { and, eq, isNull, lte, or } from 'drizzle-orm'
import { notify } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { jobs, repositories } from '../db/schema.ts'
import { concernsItsRepository } from './claims.ts'
import { dispatch, type LinePeriods } from './dispatch.ts'
import { type EndedJob, queueRetry } from './retries.ts'
import { moveRotation } from './rotation.ts'
import { retryAfterUnlock } from './stale-locks.ts'

/** Kinds whose end shows on the page of their repository. */
const shown: ReadonlySet<string> = new Set(['forget', 'prune', 'check', 'unlock'])

/** Does what follows, in the transaction that records the end. To be called once for an end; another time changes nothing. */
export async function followEnd(tx: Db, jobId: string, periods: LinePeriods): Promise<void> {
  const [job] = await tx
    .select()
    .from(jobs)
    .where(and(eq(jobs.id, jobId), concernsItsRepository))
  if (job === undefined) return
  if (job.kind === 'check') await keepCheck(tx, job)
  await queueRetry(tx, job, periods)
  if (job.kind === 'unlock' && job.status === 'succeeded') await retryAfterUnlock(tx, job, periods)
  await dispatch(tx, [job.repositoryId], periods)
  if (shown.has(job.kind)) await notify(tx, 'repository', job.repositoryId)
}

/** What a check found is what is known of the repository, unless a later one is known already. One that could not look found nothing. */
async function keepCheck(tx: Db, job: EndedJob) {
  const found = job.status === 'succeeded' ? 'ok' : job.reason
  if (job.finishedAt === null || (found !== 'ok' && found !== 'damaged')) return
  await tx
    .update(repositories)
    .set({ lastCheckAt: job.finishedAt, lastCheckStatus: found })
    .where(
      and(
        eq(repositories.id, job.repositoryId),
        or(isNull(repositories.lastCheckAt), lte(repositories.lastCheckAt, job.finishedAt)),
      ),
    )
  const part = 'readPart' in job.spec ? job.spec.readPart : undefined
  if (job.status === 'succeeded' && job.scheduleId !== null && part !== undefined)
    await moveRotation(tx, job.scheduleId, part)
}
