// What agents tell of a repository's size and locks. Newest wins.
import { and, eq, or, sql } from 'drizzle-orm'
import type { RepoStats } from '@restic-manager/contract/repository'
import type { HostSession } from '../context.ts'
import { notify } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { repositoryDays } from '../db/schema-outcomes.ts'
import { hostRepositories, repositories } from '../db/schema.ts'
import { changeConfiguration } from './configuration.ts'
import { holdHost } from './facts.ts'

/** Keeps what a host says of a repository it has access to or maintains; of any other it is dropped. Safe to deliver twice. */
export async function keepStats(db: Db, host: HostSession, stats: RepoStats): Promise<void> {
  await changeConfiguration(db, async tx => {
    // Held for change: when restic's own id is new, this host's configuration rises below.
    await holdHost(tx, host, 'change')
    const [repository] = await tx
      .select({ id: repositories.id, resticId: repositories.resticId })
      .from(repositories)
      .where(and(eq(repositories.id, stats.repositoryId), isOn(host.id, stats.repositoryId)))
      .for('no key update')
    if (repository === undefined) return { result: undefined, hostIds: [] }
    const users = await tx
      .select({ hostId: hostRepositories.hostId })
      .from(hostRepositories)
      .where(eq(hostRepositories.repositoryId, repository.id))
    // A local path is another repository on each host, so the first id stays unless the sender is the only user.
    const isOnlyUser = users.every(user => user.hostId === host.id)
    const mayNameIt = repository.resticId === null || isOnlyUser
    const isNewId = stats.resticId !== undefined && stats.resticId !== repository.resticId && mayNameIt
    await tx
      .update(repositories)
      .set({
        lockState: stats.lockState,
        locks: stats.locks ?? [],
        ...(isNewId ? { resticId: stats.resticId } : {}),
        ...(stats.sizeBytes === undefined ? {} : { sizeBytes: stats.sizeBytes, statsAt: sql`now()` }),
        ...(stats.dedupRatio === undefined ? {} : { dedupRatio: Math.round(stats.dedupRatio * 1_000) }),
        ...(stats.lastCheckAt === undefined
          ? {}
          : { lastCheckAt: sql`least(now(), ${stats.lastCheckAt}::timestamptz)` }),
        ...(stats.lastCheckStatus === undefined ? {} : { lastCheckStatus: stats.lastCheckStatus }),
      })
      .where(eq(repositories.id, repository.id))
    if (stats.sizeBytes !== undefined) await keepSizeOfDay(tx, repository.id, stats.sizeBytes)
    await notify(tx, 'repository', repository.id)
    return { result: undefined, hostIds: isNewId ? users.map(user => user.hostId) : [] }
  })
}

/** The last figure of a day is the day's. */
const keepSizeOfDay = (tx: Db, repositoryId: string, sizeBytes: number) =>
  tx
    .insert(repositoryDays)
    .values({ repositoryId, sizeBytes, day: sql`(now() at time zone 'utc')::date` })
    .onConflictDoUpdate({ target: [repositoryDays.repositoryId, repositoryDays.day], set: { sizeBytes } })

const isOn = (hostId: string, repositoryId: string) =>
  or(
    eq(repositories.maintenanceHostId, hostId),
    sql`exists (select 1 from host_repositories where host_id = ${hostId} and repository_id = ${repositoryId})`,
  )
