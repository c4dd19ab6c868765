// Who maintains a repository: the risk that goes with it, and what becomes of waiting jobs when it changes.
import { and, eq, isNull, sql } from 'drizzle-orm'
import { Refusal } from '@restic-manager/contract/refusal'
import { notifyAll } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { hosts, jobs, repositories } from '../db/schema.ts'

type Wish = {
  maintenanceHostId?: string | null | undefined
  adminUsername?: string | undefined
  acceptsRisk?: boolean | undefined
  hostIds: readonly string[]
}
type Before = Pick<
  typeof repositories.$inferSelect,
  'maintenanceHostId' | 'riskAcceptedAt' | 'riskAcceptedBy'
>

/**
 * The columns of a wish. A host that both backs up into a repository and may delete there needs somebody's word that this risk
 * is taken; a word given for the same host before still counts. Throws `risk_not_accepted` or `host_not_found`.
 */
export async function maintenanceColumns(
  tx: Db,
  wish: Wish,
  { before, requestedBy }: { before?: Before | undefined; requestedBy?: string | undefined },
) {
  const { adminUsername = null, acceptsRisk = false, hostIds } = wish
  const maintenanceHostId =
    wish.maintenanceHostId === undefined ? (before?.maintenanceHostId ?? null) : wish.maintenanceHostId
  const columns = { maintenanceHostId, adminUsername, riskAcceptedAt: null, riskAcceptedBy: null }
  if (maintenanceHostId === null) return columns
  const changes = maintenanceHostId !== before?.maintenanceHostId
  const [host] = await tx
    .select({ name: hosts.name, removedAt: hosts.removedAt })
    .from(hosts)
    .where(eq(hosts.id, maintenanceHostId))
    .for('key share')
  if (host === undefined || (changes && host.removedAt !== null))
    throw new Refusal('host_not_found', 'The chosen maintenance host is no longer here.')
  if (!hostIds.includes(maintenanceHostId)) return columns
  if (acceptsRisk) return { ...columns, riskAcceptedAt: sql`now()`, riskAcceptedBy: requestedBy ?? null }
  if (changes || before.riskAcceptedAt === null)
    throw new Refusal(
      'risk_not_accepted',
      `${host.name} backs up into this repository and would also be allowed to delete there: whoever breaks into it could delete every backup. Choose another maintenance host, or accept this risk.`,
    )
  return { ...columns, riskAcceptedAt: before.riskAcceptedAt, riskAcceptedBy: before.riskAcceptedBy }
}

const movedSentence = 'The maintenance host of this repository was changed before this job began.'

/**
 * What still waits for the old maintenance host goes to the new one; without one it is skipped. An order that the old host may
 * have heard already is taken back: the host that begins it must be the one its row names.
 */
export async function moveWaitingJobs(
  tx: Db,
  repositoryId: string,
  maintenanceHostId: string | null,
): Promise<void> {
  const waiting = and(eq(jobs.repositoryId, repositoryId), eq(jobs.status, 'queued'), jobs.elevated)
  const owner = sql`coalesce(${jobs.forHostId}, ${jobs.hostId})`
  const endedNow = { error: movedSentence, finishedAt: sql`now()`, waitsForJobId: null }
  const changed = { id: jobs.id, hostId: jobs.hostId, forHostId: jobs.forHostId }
  const skipped = { ...endedNow, status: 'skipped', reason: 'no_maintenance_host' } as const
  const held = await tx
    .update(jobs)
    .set(
      maintenanceHostId === null
        ? skipped
        : {
            hostId: maintenanceHostId,
            forHostId: sql`case when ${jobs.scheduleId} is not null and ${owner} <> ${maintenanceHostId} then ${owner} end`,
          },
    )
    .where(and(waiting, isNull(jobs.releasedAt)))
    .returning(changed)
  const ordered = await tx
    .update(jobs)
    .set({
      ...endedNow,
      status: 'cancelled',
      reason: 'cancelled_by_operator',
      cancelRequestedAt: sql`coalesce(${jobs.cancelRequestedAt}, now())`,
    })
    .where(
      and(
        waiting,
        sql`${jobs.releasedAt} is not null`,
        maintenanceHostId === null ? undefined : sql`${jobs.hostId} <> ${maintenanceHostId}`,
      ),
    )
    .returning(changed)
  const moved = [...held, ...ordered]
  await notifyAll(tx, {
    job: moved.map(({ id }) => id),
    host: moved.flatMap(({ hostId, forHostId }) => [hostId, forHostId ?? hostId]),
    orders: moved.map(({ hostId }) => hostId),
  })
}

/** Repositories looked at in one round. */
const MOST_STRANDED = 100

/**
 * A job may be made for a maintenance host in the very moment in which it is changed: then nobody ever gets its order, and it would
 * stand in the way of others. Such jobs are moved like the rest. Safe to run anywhere, several at once. Answers how many
 * repositories had some.
 */
export async function moveStrandedJobs(db: Db): Promise<number> {
  const stranded = await db.execute<{ id: string }>(sql`
    select distinct repositories.id from jobs join repositories on repositories.id = jobs.repository_id
    where jobs.status = 'queued' and jobs.elevated and jobs.host_id is distinct from repositories.maintenance_host_id
    limit ${MOST_STRANDED}`)
  for (const { id } of stranded)
    await db.transaction(async tx => {
      const [repository] = await tx
        .select({ maintenanceHostId: repositories.maintenanceHostId })
        .from(repositories)
        .where(eq(repositories.id, id))
        .for('share')
      if (repository !== undefined) await moveWaitingJobs(tx, id, repository.maintenanceHostId)
    })
  return stranded.length
}

/** The names of those that are planned on a repository; empty: nothing is. */
export async function plannedOn(tx: Db, repositoryId: string): Promise<string[]> {
  const rows = await tx.execute<{ name: string }>(sql`
    select schedules.name || ' on ' || hosts.name as name from schedules join hosts on hosts.id = schedules.host_id
    where schedules.deleted_at is null and hosts.removed_at is null
      and schedules.repository_ids @> array[${repositoryId}::uuid]
    order by 1 limit 10`)
  return rows.map(row => row.name)
}
