// Repositories as operators see them. Never a secret in it.
import { and, asc, eq, inArray, isNull, type SQL, sql } from 'drizzle-orm'
import { Refusal } from '@restic-manager/contract/refusal'
import type { RepositoryView } from '@restic-manager/contract/views'
import type { Db } from '../db/open.ts'
import { hostRepositories, hosts, repositories } from '../db/schema.ts'
import { concernsItsRepository } from './claims.ts'

const asDate = (value: unknown) => (value === null ? null : new Date(value as string))

/** Inner queries name their columns in full: from a single table Drizzle writes bare names, and the inner table would take them. */
const columns = {
  id: repositories.id,
  name: repositories.name,
  kind: repositories.kind,
  url: repositories.url,
  username: repositories.username,
  environment: repositories.environment,
  mayDelete: repositories.mayDelete,
  resticId: repositories.resticId,
  version: repositories.version,
  sizeBytes: repositories.sizeBytes,
  dedupRatio: sql<number | null>`${repositories.dedupRatio}::float8 / 1000`,
  statsAt: repositories.statsAt,
  lastCheckAt: repositories.lastCheckAt,
  lastCheckStatus: repositories.lastCheckStatus,
  lockState: repositories.lockState,
  locks: repositories.locks,
  createdAt: repositories.createdAt,
  hasCredential: sql<boolean>`exists (select 1 from credentials
    where credentials.repository_id = repositories.id and credentials.purpose = 'everyday')`,
  snapshotCount: sql<number>`(select coalesce(sum(held.count), 0)::integer from snapshot_counts held
    where held.repository_id = repositories.id)`,
  lastBackupAt:
    sql<Date | null>`(select max(jobs.finished_at) from jobs where jobs.repository_id = repositories.id
    and jobs.kind = 'backup' and jobs.status in ('succeeded', 'incomplete') and ${concernsItsRepository})`.mapWith(
      asDate,
    ),
}

/** All repositories by name. */
export const listRepositories = (db: Db): Promise<RepositoryView[]> => selectRepositories(db, undefined)

/** The repositories a host has access to, by name. */
export const repositoriesOf = (db: Db, hostId: string): Promise<RepositoryView[]> =>
  selectRepositories(
    db,
    inArray(
      repositories.id,
      db
        .select({ id: hostRepositories.repositoryId })
        .from(hostRepositories)
        .where(eq(hostRepositories.hostId, hostId)),
    ),
  )

/** One repository. Throws `repository_not_found`. */
export async function viewRepository(db: Db, repositoryId: string): Promise<RepositoryView> {
  const [view] = await selectRepositories(db, eq(repositories.id, repositoryId))
  if (view === undefined) throw new Refusal('repository_not_found', 'There is no such repository.')
  return view
}

async function selectRepositories(db: Db, which: SQL | undefined): Promise<RepositoryView[]> {
  const rows = await db
    .select(columns)
    .from(repositories)
    .where(which)
    .orderBy(asc(repositories.name), asc(repositories.id))
  if (rows.length === 0) return []
  const users = await db
    .select({ repositoryId: hostRepositories.repositoryId, id: hosts.id, name: hosts.name })
    .from(hostRepositories)
    .innerJoin(hosts, and(eq(hosts.id, hostRepositories.hostId), isNull(hosts.removedAt)))
    .where(
      inArray(
        hostRepositories.repositoryId,
        rows.map(row => row.id),
      ),
    )
    .orderBy(asc(hosts.name), asc(hosts.id))
  const byRepository = Map.groupBy(users, user => user.repositoryId)
  const usersOf = (id: string) => (byRepository.get(id) ?? []).map(user => ({ id: user.id, name: user.name }))
  return rows.map(row => Object.assign(row, { hosts: usersOf(row.id) }))
}
