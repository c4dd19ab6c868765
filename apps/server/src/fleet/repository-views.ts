// Repositories as operators see them. Never a secret in it.
import { and, asc, eq, inArray, isNull, lte, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/pg-core'
import { Refusal } from '@restic-manager/contract/refusal'
import { timing } from '@restic-manager/contract/timing'
import type { RepositoryView } from '@restic-manager/contract/views'
import type { Db } from '../db/open.ts'
import { hostRepositories, hosts, repositories, schedules } from '../db/schema.ts'
import { isAmong } from './among.ts'
import { concernsItsRepository } from './claims.ts'
import {
  checkRotationsOf,
  maintenanceOf,
  retentionOverdueOf,
  type RetentionPeriods,
} from './repository-maintenance.ts'
import { eachRepositoryIn, hostsIn, type Scope, wholeFleet } from './scope.ts'

/** Who looks, how long a retention may be late, and how many hosts of a repository are named. */
type Seen = { scope: Scope; timing: RetentionPeriods; mostHosts?: number }

const asDate = (value: unknown) => (value === null ? null : new Date(value as string))

/** More than one repository has. */
const ALL_HOSTS = 1_000_000

const keepers = alias(hosts, 'keepers')

/** The end of the newest of these jobs that succeeded. A preview removed nothing. The kind stands in the text: its index is for two kinds only. */
const lastOf = (kind: 'forget' | 'prune') =>
  sql<Date | null>`(select jobs.finished_at from jobs where jobs.repository_id = repositories.id
    and jobs.kind = ${sql.raw(`'${kind}'`)} and jobs.status = 'succeeded'
    and coalesce(jobs.spec ->> 'dryRun', 'false') <> 'true' and ${concernsItsRepository}
    order by jobs.finished_at desc limit 1)`.mapWith(asDate)

const remoteTypeOf = (purpose: 'everyday' | 'admin') =>
  sql<string | null>`(select credentials.remote_type from credentials
    where credentials.repository_id = repositories.id and credentials.purpose = ${purpose})`

/** Inner queries name their columns in full: from a single table Drizzle writes bare names, and the inner table would take them. */
const columns = {
  id: repositories.id,
  name: repositories.name,
  kind: repositories.kind,
  url: repositories.url,
  username: repositories.username,
  environment: repositories.environment,
  mayDelete: repositories.mayDelete,
  keeper: { id: keepers.id, name: keepers.name },
  adminUsername: repositories.adminUsername,
  hasAdminCredential: sql<boolean>`exists (select 1 from credentials
    where credentials.repository_id = repositories.id and credentials.purpose = 'admin')`,
  adminRemoteType: remoteTypeOf('admin'),
  ransomwareUnsafe: sql<boolean>`exists (select 1 from host_repositories
    where host_repositories.repository_id = repositories.id and host_repositories.host_id = ${keepers.id})`,
  riskAcceptedBy: repositories.riskAcceptedBy,
  lastPruneAt: lastOf('prune'),
  lastForgetAt: lastOf('forget'),
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
  remoteType: remoteTypeOf('everyday'),
  snapshotCount: sql<number>`(select coalesce(sum(held.count), 0)::integer from snapshot_counts held
    where held.repository_id = repositories.id)`,
  lastBackupAt:
    sql<Date | null>`(select max(jobs.finished_at) from jobs where jobs.repository_id = repositories.id
    and jobs.kind = 'backup' and jobs.status in ('succeeded', 'incomplete') and ${concernsItsRepository})`.mapWith(
      asDate,
    ),
}

/** All repositories of the scope by name. */
export const listRepositories = (
  db: Db,
  scope: Scope,
  periods: RetentionPeriods = timing,
): Promise<RepositoryView[]> =>
  selectRepositories(db, eachRepositoryIn(scope), { scope, timing: periods, mostHosts: 3 })

/** The repositories a host has access to, by name. */
export const repositoriesOf = (db: Db, hostId: string, scope: Scope): Promise<RepositoryView[]> =>
  selectRepositories(
    db,
    inArray(
      repositories.id,
      db
        .select({ id: hostRepositories.repositoryId })
        .from(hostRepositories)
        .where(eq(hostRepositories.hostId, hostId)),
    ),
    { scope, timing },
  )

/** One repository. Throws `repository_not_found`. */
export async function viewRepository(
  db: Db,
  repositoryId: string,
  seen: Partial<Seen> = {},
): Promise<RepositoryView> {
  const [view] = await selectRepositories(db, eq(repositories.id, repositoryId), {
    scope: wholeFleet,
    timing,
    ...seen,
  })
  if (view === undefined) throw new Refusal('repository_not_found', 'There is no such repository.')
  return view
}

/** Of a repository that others share, their names are seen only where it needs them: who maintains it, and whom a job waits for. */
async function selectRepositories(
  db: Db,
  which: SQL | undefined,
  { scope, timing: periods, mostHosts = ALL_HOSTS }: Seen,
): Promise<RepositoryView[]> {
  const rows = await db
    .select(columns)
    .from(repositories)
    .leftJoin(keepers, and(eq(keepers.id, repositories.maintenanceHostId), isNull(keepers.removedAt)))
    .where(which)
    .orderBy(asc(repositories.name), asc(repositories.id))
  const ids = rows.map(row => row.id)
  const [users, maintenance, overdue, rotations, hidden] = await Promise.all([
    usersOf(db, { scope, ids, most: mostHosts }),
    maintenanceOf(db, scope, ids),
    retentionOverdueOf(db, ids, periods),
    checkRotationsOf(db, ids),
    hiddenHostsOfEach(db, scope, ids),
  ])
  return rows.map(({ keeper, ...row }) =>
    Object.assign(row, {
      maintenanceHost: keeper,
      maintenance: maintenance.get(row.id) ?? [],
      retentionOverdueSince: overdue.get(row.id) ?? null,
      checkRotation: rotations.get(row.id) ?? null,
      hiddenHosts: hidden.get(row.id) ?? 0,
      hosts: (users.get(row.id) ?? []).map(({ id, name }) => ({ id, name })),
      hostCount: users.get(row.id)?.[0]?.total ?? 0,
    }),
  )
}

/** How many hosts outside of the scope use or maintain each of these: in one look at all hosts, instead of one at each for each. */
async function hiddenHostsOfEach(db: Db, scope: Scope, ids: string[]): Promise<Map<string, number>> {
  if (scope === undefined || ids.length === 0) return new Map()
  const each = sql`${sql.param(ids, schedules.repositoryIds)}::uuid[]`
  const found = await db.execute<{ id: string; hidden: number }>(sql`
    select its.id, count(*)::integer as hidden from (
        select repository_id as id, host_id from host_repositories where repository_id = any(${each})
        union select id, maintenance_host_id from repositories where id = any(${each})) as its
      join hosts as other on other.id = its.host_id
    where other.removed_at is null and not (other.tags && ${sql.param([...scope], hosts.tags)}) group by its.id`)
  return new Map(found.map(({ id, hidden }) => [id, hidden]))
}

/** The hosts with access, by repository: the first by name, and how many there are. */
async function usersOf(db: Db, { scope, ids, most }: { scope: Scope; ids: string[]; most: number }) {
  const each = db
    .select({
      repositoryId: hostRepositories.repositoryId,
      id: hosts.id,
      name: hosts.name,
      place:
        sql<number>`(row_number() over (partition by ${hostRepositories.repositoryId} order by ${hosts.name}, ${hosts.id}))::integer`.as(
          'place',
        ),
      total: sql<number>`(count(*) over (partition by ${hostRepositories.repositoryId}))::integer`.as(
        'total',
      ),
    })
    .from(hostRepositories)
    .innerJoin(hosts, and(eq(hosts.id, hostRepositories.hostId), isNull(hosts.removedAt)))
    .where(and(isAmong(hostRepositories.repositoryId, ids), hostsIn(scope)))
    .as('each')
  const users =
    ids.length === 0 ? [] : await db.select().from(each).where(lte(each.place, most)).orderBy(each.place)
  return Map.groupBy(users, user => user.repositoryId)
}
