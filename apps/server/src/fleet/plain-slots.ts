// What the records say of slots of many hosts, each on one repository, where that is nothing or nothing but their own job.
import { sql } from 'drizzle-orm'
import type { JobStatus } from '@restic-manager/contract/job'
import { isOneOf } from '../db/listed.ts'
import type { Db } from '../db/open.ts'
import { jobs } from '../db/schema.ts'
import type { KnownSlot } from './fire-decision.ts'

/** `id`: that of the slot's job. `isOwn`: its host runs it by itself. */
export type AskedSlot = {
  id: string
  hostId: string
  repositoryId: string
  scheduleId: string
  scheduledFor: Date
  isOwn: boolean
}

/**
 * Those of these slots that may be judged by their own job alone, with what is known of it: undefined, it is not there. Leaves out a
 * slot that lies in a range or that was guessed to be missed, beside an older one that waits, without access, on another host, and whose
 * repository or job somebody else holds. Takes the repositories and the jobs.
 */
export async function plainSlots(
  tx: Db,
  asked: readonly AskedSlot[],
): Promise<Map<string, KnownSlot | undefined>> {
  const plain = await tx.execute<{ id: string; isKnown: boolean }>(sql`
    select asked.id, exists (select from jobs where jobs.id = asked.id) as "isKnown"
    from repositories join jsonb_to_recordset(${JSON.stringify(asked)}::jsonb) as asked(id uuid, "hostId" uuid,
      "repositoryId" uuid, "scheduleId" uuid, "scheduledFor" timestamptz, "isOwn" boolean) on asked."repositoryId" = repositories.id
    where (asked."isOwn" or exists (select from host_repositories
        where host_repositories.host_id = asked."hostId" and host_repositories.repository_id = repositories.id))
      and not exists (select from jobs where jobs.schedule_id = asked."scheduleId" and jobs.retry_of is null
        and jobs.scheduled_for >= asked."scheduledFor" and coalesce(jobs.not_run_from, jobs.scheduled_for) <= asked."scheduledFor"
        and (jobs.scheduled_for > asked."scheduledFor" or (jobs.status = 'missed' and not jobs.reported)
          or (jobs.repository_id = repositories.id and jobs.id <> asked.id)))
      and not exists (select from jobs where jobs.host_id = asked."hostId" and jobs.status = 'queued'
        and jobs.schedule_id = asked."scheduleId" and jobs.repository_id = repositories.id
        and jobs.scheduled_for < asked."scheduledFor")
    order by repositories.id for key share of repositories skip locked`)
  const known = await takeJobs(
    tx,
    plain.filter(({ isKnown }) => isKnown).map(({ id }) => id),
  )
  const hostOf = new Map(asked.map(({ id, hostId }) => [id, hostId]))
  const slots = new Map<string, KnownSlot | undefined>()
  for (const { id, isKnown } of plain) {
    const job = known.get(id)
    if (!isKnown || (job !== undefined && job.hostId === hostOf.get(id))) slots.set(id, job)
  }
  return slots
}

/** Those of these jobs that nobody else holds. */
async function takeJobs(
  tx: Db,
  ids: readonly string[],
): Promise<Map<string, KnownSlot & { hostId: string }>> {
  if (ids.length === 0) return new Map()
  const rows = await tx
    .select({
      id: jobs.id,
      hostId: jobs.hostId,
      status: sql<JobStatus>`${jobs.status}`,
      reported: jobs.reported,
      decidedBy: sql<'server' | 'agent'>`${jobs.decidedBy}`,
      reason: jobs.reason,
      released: sql<boolean>`${jobs.releasedAt} is not null`,
    })
    .from(jobs)
    .where(isOneOf(jobs.id, ids))
    .orderBy(jobs.id)
    .for('no key update', { skipLocked: true })
  return new Map(rows.map(({ id, ...row }) => [id, { ...row, elsewhere: false }]))
}
