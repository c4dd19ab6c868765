// The one door for jobs the server orders: what comes through here stands in its repository's line.
import { and, eq, inArray, not, type SQL, sql } from 'drizzle-orm'
import type { JobSpec } from '@restic-manager/contract/command'
import type { JobKind } from '@restic-manager/contract/job'
import { timing, type Timing } from '@restic-manager/contract/timing'
import { notifyAll, telling } from '../db/bus.ts'
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
  const inserted = await insertJobs(tx, wanted)
  const made = new Set(inserted.map(job => job.id))
  const places = placesOf(wanted)
  const revived: NewJob[] = []
  for (const [at, job] of wanted.entries())
    if (!made.has(job.id) && (await revive(tx, job, places[at] ?? 0))) revived.push(job)
  await notifyAll(tx, {
    job: revived.map(({ id }) => id),
    repository: revived.map(({ repositoryId }) => repositoryId),
    host: revived.flatMap(({ hostId, forHostId = hostId }) => [hostId, forHostId]),
  })
  for (const { id } of revived) made.add(id)
  const queued = wanted.filter(job => made.has(job.id))
  await dispatch(tx, [...new Set(queued.map(job => job.repositoryId))], { ...timing, ...periods })
  return queued.map(job => job.id)
}

/** One statement with one text, however many they are. */
const insertJobs = (tx: Db, wanted: readonly NewJob[]) => {
  const places = placesOf(wanted)
  const rows = wanted.map((job, at) => ({ id: job.id, place: places[at], ...columnsOf(job) }))
  return tx.execute<{ id: string }>(sql`
    insert into jobs (id, created_at, host_id, repository_id, kind, status, spec, for_host_id, schedule_id, scheduled_for,
      request_id, requested_by, retry_of, attempt, not_before, elevated)
    select id, ${madeAt(sql`place`)}, "hostId", "repositoryId", kind, status, spec, "forHostId", "scheduleId", "scheduledFor",
      "requestId", "requestedBy", "retryOf", attempt, "notBefore", elevated
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as wanted(id uuid, place integer, "hostId" uuid, "repositoryId" uuid,
      kind text, status text, spec jsonb, "forHostId" uuid, "scheduleId" uuid, "scheduledFor" timestamptz, "requestId" uuid,
      "requestedBy" text, "retryOf" uuid, attempt integer, "notBefore" timestamptz, elevated boolean)
    order by id
    on conflict do nothing
    returning id, ${telling('job', sql`id`)}, ${telling('repository', sql`repository_id`)}, ${telling('host', sql`host_id`)},
      ${telling('host', sql`for_host_id`)}`)
}

/** Which of the jobs of its host each one is. */
function placesOf(wanted: readonly NewJob[]): number[] {
  const made = new Map<string, number>()
  return wanted.map(({ hostId }) => {
    const place = made.get(hostId) ?? 0
    made.set(hostId, place + 1)
    return place
  })
}

/** Jobs made together keep their order on their host, and in its lists. */
const madeAt = (place: SQL | number) => sql`now() + ${place} * interval '1 millisecond'`

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
