// The one door for jobs the server orders: what comes through here stands in its repository's line.
import { and, eq, inArray, not, sql } from 'drizzle-orm'
import type { JobSpec } from '@restic-manager/contract/command'
import type { JobKind } from '@restic-manager/contract/job'
import { timing, type Timing } from '@restic-manager/contract/timing'
import { notifyAll } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { jobs } from '../db/schema.ts'
import { dispatch } from './dispatch.ts'

/** A job to be ordered. `forHostId`: whose schedule it serves. `retryOf`: the first of its line of attempts. */
export type NewJob = {
  id: string
  hostId: string
  repositoryId: string
  kind: JobKind
  spec: JobSpec
  forHostId?: string | undefined
  scheduleId?: string | undefined
  scheduledFor?: Date | undefined
  requestId?: string | undefined
  requestedBy?: string | undefined
  retryOf?: string | undefined
  attempt?: number | undefined
  notBefore?: Date | undefined
  elevated?: boolean | undefined
}

/**
 * Queues jobs, and lets those go that nothing is in the way of. An id that is known already makes nothing, unless its row only
 * says what we guessed of a slot that did not run: that is queued again. Answers the ids made. Safe to call twice.
 */
export async function queueJobs(
  tx: Db,
  wanted: readonly NewJob[],
  periods: Pick<Timing, 'queuedLife'> & Partial<Timing>,
): Promise<string[]> {
  if (wanted.length === 0) return []
  const inserted = await tx
    .insert(jobs)
    .values(wanted.map((job, place) => ({ id: job.id, createdAt: madeAt(place), ...columnsOf(job) })))
    .onConflictDoNothing()
    .returning({ id: jobs.id })
  const made = new Set(inserted.map(job => job.id))
  for (const [place, job] of wanted.entries())
    if (!made.has(job.id) && (await revive(tx, job, place))) made.add(job.id)
  const queued = wanted.filter(job => made.has(job.id))
  await notifyAll(tx, {
    job: queued.map(({ id }) => id),
    repository: queued.map(({ repositoryId }) => repositoryId),
    host: queued.flatMap(({ hostId, forHostId = hostId }) => [hostId, forHostId]),
  })
  await dispatch(tx, [...new Set(queued.map(job => job.repositoryId))], { ...timing, ...periods })
  return queued.map(job => job.id)
}

/** Jobs made together keep their order, in lists and on their host. */
const madeAt = (place: number) => sql`now() + ${place} * interval '1 millisecond'`

function columnsOf(job: NewJob) {
  return {
    hostId: job.hostId,
    repositoryId: job.repositoryId,
    kind: job.kind,
    status: 'queued' as const,
    spec: job.spec,
    forHostId: job.forHostId ?? null,
    scheduleId: job.scheduleId ?? null,
    scheduledFor: job.scheduledFor ?? null,
    requestId: job.requestId ?? null,
    requestedBy: job.requestedBy ?? null,
    retryOf: job.retryOf ?? null,
    attempt: job.attempt ?? 0,
    notBefore: job.notBefore ?? null,
    elevated: job.elevated ?? false,
  }
}

/** A slot that we took for missed or skipped, and that is to run after all. What an agent reported stays. */
async function revive(tx: Db, job: NewJob, place: number): Promise<boolean> {
  const revived = await tx
    .update(jobs)
    .set({
      ...columnsOf(job),
      createdAt: madeAt(place),
      decidedBy: 'server',
      reason: null,
      error: null,
      finishedAt: null,
      notRunFrom: null,
      slotCount: 1,
      cancelRequestedAt: null,
      cancelRequestedBy: null,
      expiresAt: null,
      releasedAt: null,
      waitsForJobId: null,
    })
    .where(and(eq(jobs.id, job.id), inArray(jobs.status, ['missed', 'skipped']), not(jobs.reported)))
    .returning({ id: jobs.id })
  return revived.length === 1
}
