// Locks that a killed restic left behind: backups stay green beside them while retention fails for ever.
import { and, desc, eq, inArray, sql } from 'drizzle-orm'
import { newId } from '@restic-manager/contract/ids'
import type { Timing } from '@restic-manager/contract/timing'
import type { Db } from '../db/open.ts'
import { hostRepositories, hosts, jobs, repositories } from '../db/schema.ts'
import { isBusy, sameOnDisk } from './busy.ts'
import { concernsItsRepository } from './claims.ts'
import { holdLine, type LinePeriods } from './dispatch.ts'
import { queueJobs } from './new-jobs.ts'
import { placeJob } from './placement.ts'
import { type EndedJob, queueRetry } from './retries.ts'

type Periods = LinePeriods & Pick<Timing, 'staleLock'>

/** A repository is unlocked by itself no oftener than this. */
const UNLOCK_PAUSE = '1 hour'
/** What failed longer ago is left to an operator. */
const FAILURE_COUNTS = '14 days'

/**
 * Queues an unlock wherever a lock was left over and no job can hold it: restic itself then removes only what is stale. Safe
 * to run anywhere, several at once. Answers how many were queued.
 */
export async function unlockStale(db: Db, periods: Periods): Promise<number> {
  let queued = 0
  for (const repositoryId of await suspects(db, periods))
    if (await db.transaction(tx => unlockOne(tx, repositoryId, periods))) queued += 1
  return queued
}

/**
 * Repositories whose last backup, or last job that needs them alone, gave up on a lock so long ago that it is stale by now if
 * nobody renews it; and those whose locks were told and are that old.
 */
async function suspects(db: Db, { staleLock }: Periods): Promise<string[]> {
  const old = sql`now() - ${staleLock} * interval '1 millisecond'`
  const rows = await db.execute<{ id: string }>(sql`
    select repositories.id from repositories
    where repositories.lock_state = 'locked' and exists (
      select 1 from jsonb_array_elements(repositories.locks) as lock where (lock ->> 'createdAt')::timestamptz < ${old})
    union
    select jobs.repository_id from jobs join repositories on repositories.id = jobs.repository_id
    where jobs.status = 'failed' and jobs.reason = 'locked' and jobs.reported
      and jobs.created_at > now() - ${FAILURE_COUNTS}::interval and jobs.finished_at < ${old}
      and jobs.kind in ('backup', 'forget', 'prune', 'check') and ${concernsItsRepository}
      and not exists (select 1 from jobs later
        where later.repository_id = jobs.repository_id and later.created_at > jobs.created_at
          and case later.kind
            when 'unlock' then later.status in ('queued', 'accepted', 'running', 'succeeded')
            else later.kind in ('backup', 'forget', 'prune', 'check') and (later.kind = 'backup') = (jobs.kind = 'backup')
              and later.status in ('queued', 'accepted', 'running', 'succeeded', 'incomplete', 'failed') end)`)
  return rows.map(row => row.id)
}

async function unlockOne(tx: Db, repositoryId: string, periods: Periods): Promise<boolean> {
  await holdLine(tx, repositoryId)
  if (await isBusy(tx, repositoryId)) return false
  const recent = await tx
    .select({ id: jobs.id })
    .from(jobs)
    .where(
      and(
        inArray(jobs.repositoryId, sameOnDisk(tx, repositoryId)),
        eq(jobs.kind, 'unlock'),
        sql`${jobs.createdAt} > now() - ${UNLOCK_PAUSE}::interval`,
      ),
    )
    .limit(1)
  if (recent.length > 0) return false
  const hostId = await whoUnlocks(tx, repositoryId)
  if (hostId === undefined) return false
  const place = await placeJob(tx, { kind: 'unlock', hostId, repositoryId })
  if ('refused' in place) return false
  const job = { id: newId(), ...place, repositoryId, kind: 'unlock' as const, spec: {} }
  return (await queueJobs(tx, [job], periods)).length === 1
}

/** The maintenance host, else the host with access that was heard last. Only one that is there: the order must not wait. */
async function whoUnlocks(tx: Db, repositoryId: string): Promise<string | undefined> {
  const [repository] = await tx
    .select({ maintenanceHostId: hosts.id, online: hosts.online })
    .from(repositories)
    .innerJoin(hosts, eq(hosts.id, repositories.maintenanceHostId))
    .where(and(eq(repositories.id, repositoryId), sql`${hosts.removedAt} is null`))
  if (repository !== undefined) return repository.online ? repository.maintenanceHostId : undefined
  const [heard] = await tx
    .select({ id: hosts.id })
    .from(hostRepositories)
    .innerJoin(hosts, eq(hosts.id, hostRepositories.hostId))
    .where(
      and(eq(hostRepositories.repositoryId, repositoryId), hosts.online, sql`${hosts.quarantinedAt} is null`),
    )
    .orderBy(desc(hosts.lastSeenAt), hosts.id)
    .limit(1)
  return heard?.id
}

/** After an unlock of our own: what failed on the lock gets one attempt more than its schedule's rule gives. */
export async function retryAfterUnlock(tx: Db, unlock: EndedJob, periods: LinePeriods): Promise<void> {
  if (unlock.requestId !== null) return
  const failed = await tx
    .selectDistinctOn([jobs.scheduleId, jobs.repositoryId])
    .from(jobs)
    .where(
      and(
        inArray(jobs.repositoryId, sameOnDisk(tx, unlock.repositoryId)),
        inArray(jobs.kind, ['forget', 'prune', 'check']),
        sql`${jobs.scheduleId} is not null and ${jobs.createdAt} > now() - ${FAILURE_COUNTS}::interval`,
        concernsItsRepository,
      ),
    )
    .orderBy(jobs.scheduleId, jobs.repositoryId, desc(jobs.createdAt))
  for (const job of failed.filter(({ reason }) => reason === 'locked'))
    await queueRetry(tx, job, periods, { beyond: 1 })
}
