// Hosts as operators see them: the fleet as a list, and one host whole.
import { and, asc, desc, eq, isNull, type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import { PolicySummary, SetAside } from '@restic-manager/contract/agent'
import type { BackupSpec } from '@restic-manager/contract/command'
import { Refusal } from '@restic-manager/contract/refusal'
import type { HostListRequest } from '@restic-manager/contract/requests'
import type { HostPage, HostRow, HostState, HostView } from '@restic-manager/contract/views'
import { fingerprintOf } from '@restic-manager/runtime/fingerprint'
import type { Db } from '../db/open.ts'
import { hosts, jobs } from '../db/schema.ts'
import { snapshotCounts, snapshots } from '../db/schema-snapshots.ts'
import { isOlderVersion, version } from '../version.ts'
import { cursorAt, keysOf } from './cursor.ts'
import { hostsMatching, inState } from './host-filter.ts'
import { briefsOf } from './job-views.ts'
import { daysOf, nextRunsOf } from './host-plans.ts'
import { isPausedNow } from './pauses.ts'
import { isLate, lateAt } from './standing-views.ts'
import { repositoriesOf } from './repository-views.ts'
import { hostsIn, type Scope, wholeFleet } from './scope.ts'

/** What a host is doing about its link, as one column. */
export const stateOf = sql<HostState>`case when ${hosts.quarantinedAt} is not null then 'quarantined'
    when ${hosts.awaitsApprovalSince} is not null then 'waiting'
    when ${isPausedNow} then 'paused'
    when ${hosts.online} then 'online' else 'offline' end`

/**
 * Each inner query is one look into an index for each host of the page. They name their columns in full: from a single
 * table Drizzle writes bare names, and the inner table would take them.
 */
const columns = {
  id: hosts.id,
  name: hosts.name,
  hostname: hosts.hostname,
  state: stateOf,
  online: hosts.online,
  pause: {
    since: hosts.pausedAt,
    until: hosts.pausedUntil,
    by: hosts.pausedBy,
    reason: hosts.pauseReason,
    isOn: sql<boolean>`${isPausedNow}`,
  },
  lastSeenAt: hosts.lastSeenAt,
  os: hosts.os,
  arch: hosts.arch,
  agentVersion: hosts.agentVersion,
  resticVersion: hosts.resticVersion,
  tags: hosts.tags,
  configVersion: hosts.configVersion,
  appliedConfigVersion: hosts.appliedConfigVersion,
  scheduleVersion: hosts.scheduleVersion,
  appliedScheduleVersion: hosts.appliedScheduleVersion,
  lastGoodBackupAt: hosts.lastGoodBackupAt,
  objectiveMs: sql<number | null>`${hosts.objectiveSeconds}::float8 * 1000`,
  lateSince: sql<Date | null>`case when ${isLate} then ${lateAt} end`.mapWith(hosts.lastSeenAt),
  repositoryCount: sql<number>`(select count(*)::integer from host_repositories where host_repositories.host_id = hosts.id)`,
  snapshotCount: sql<number>`(select coalesce(sum(held.count), 0)::integer from snapshot_counts held where held.host_id = hosts.id)`,
  lastJobId: sql<string | null>`(select jobs.id from jobs where jobs.host_id = hosts.id
    order by jobs.created_at desc, jobs.id desc limit 1)`,
  runningJobId: sql<string | null>`(select jobs.id from jobs where jobs.host_id = hosts.id
    and jobs.status in ('accepted', 'running') order by jobs.status desc, jobs.created_at limit 1)`,
}

type BareRow = Omit<HostRow, 'lastJob' | 'runningJob' | 'pause' | 'days' | 'nextRunAt'> & {
  pause: { since: Date | null; until: Date | null; by: string | null; reason: string | null; isOn: boolean }
  lastJobId: string | null
  runningJobId: string | null
}

const pauseIn = ({ since, until, by, reason, isOn }: BareRow['pause']): HostRow['pause'] =>
  isOn && since !== null ? { since, until, by: by ?? '', reason } : null

/** Adds to rows what lies elsewhere: their jobs, their last days and their next run, each in one query for all. */
async function withJobs<T extends BareRow>(db: Db, rows: T[]) {
  const named = rows.flatMap(row => [row.lastJobId, row.runningJobId]).filter(id => id !== null)
  const ids = rows.map(row => row.id)
  const [briefs, days, nextRuns] = await Promise.all([
    briefsOf(db, [...new Set(named)]),
    daysOf(db, ids),
    nextRunsOf(db, ids),
  ])
  return rows.map(({ lastJobId, runningJobId, pause, ...row }) => ({
    ...row,
    pause: pauseIn(pause),
    days: days.get(row.id) ?? [],
    nextRunAt: pause.isOn ? null : (nextRuns.get(row.id) ?? null),
    lastJob: (lastJobId !== null && briefs.get(lastJobId)) || null,
    runningJob: (runningJobId !== null && briefs.get(runningJobId)) || null,
  }))
}

const NameKeys = z.tuple([z.string(), z.uuid()])
const BackupKeys = z.tuple([z.number().nullable(), z.uuid()])

/** A page of the fleet. By last good backup, hosts that have none come first, then the oldest. */
export async function hostPage(
  db: Db,
  scope: Scope,
  request: z.infer<typeof HostListRequest>,
): Promise<HostPage> {
  const which = and(isNull(hosts.removedAt), hostsIn(scope), hostsMatching(request))
  const [page, counted] = await Promise.all([readPage(db, which, request), countHosts(db, scope, which)])
  return { ...page, ...counted }
}

async function readPage(db: Db, which: SQL | undefined, request: z.infer<typeof HostListRequest>) {
  const rows = await db
    .select(columns)
    .from(hosts)
    .where(and(which, isAfter(request)))
    .orderBy(
      ...(request.sort === 'name' ? [asc(hosts.name)] : [sql`${hosts.lastGoodBackupAt} asc nulls first`]),
      asc(hosts.id),
    )
    .limit(request.limit + 1)
  const page = rows.slice(0, request.limit)
  const last = page.at(-1)
  const key = request.sort === 'name' ? last?.name : (last?.lastGoodBackupAt?.getTime() ?? null)
  return {
    rows: await withJobs(db, page),
    nextCursor: rows.length > page.length && last !== undefined ? cursorAt([key ?? null, last.id]) : null,
  }
}

function isAfter({ sort, cursor }: z.infer<typeof HostListRequest>): SQL | undefined {
  if (sort === 'name') {
    const keys = keysOf(NameKeys, cursor)
    return keys && sql`(${hosts.name}, ${hosts.id}) > (${keys[0]}, ${keys[1]}::uuid)`
  }
  const keys = keysOf(BackupKeys, cursor)
  if (keys === undefined) return undefined
  const [at, id] = keys
  if (at === null)
    return sql`(${hosts.lastGoodBackupAt} is not null or (${hosts.lastGoodBackupAt} is null and ${hosts.id} > ${id}::uuid))`
  return sql`(${hosts.lastGoodBackupAt}, ${hosts.id}) > (${new Date(at).toISOString()}::timestamptz, ${id}::uuid)`
}

async function countHosts(db: Db, scope: Scope, which: SQL | undefined) {
  const count = (condition: SQL | undefined) => sql<number>`count(*) filter (where ${condition})::integer`
  const [counted] = await db
    .select({
      total: count(which),
      all: count(sql`true`),
      late: count(inState.late),
      online: count(inState.online),
      offline: count(inState.offline),
      paused: count(inState.paused),
      waiting: count(inState.waiting),
      quarantined: count(inState.quarantined),
    })
    .from(hosts)
    .where(and(isNull(hosts.removedAt), hostsIn(scope)))
  const none = { total: 0, all: 0, late: 0, online: 0, offline: 0, paused: 0, waiting: 0, quarantined: 0 }
  const { total, ...counts } = counted ?? none
  return { total, counts }
}

/** One host, whole. What the repositories say of other hosts keeps to the scope. Throws `host_not_found`. */
export async function viewHost(db: Db, hostId: string, scope: Scope = wholeFleet): Promise<HostView> {
  const bare = await db
    .select({
      ...columns,
      timeZone: hosts.timeZone,
      bootTime: hosts.bootTime,
      enrolledAt: hosts.enrolledAt,
      configAppliedAt: hosts.configAppliedAt,
      scheduleAppliedAt: hosts.scheduleAppliedAt,
      policy: hosts.policy,
      quarantineReason: hosts.quarantineReason,
      publicKey: hosts.publicKey,
      keyChangedAt: hosts.keyChangedAt,
      keyChangeWantedAt: hosts.keyChangeWantedAt,
      clockSkewMs: hosts.clockSkewMs,
      spool: {
        facts: hosts.spoolFacts,
        logBytes: hosts.spoolLogBytes,
        full: hosts.spoolFull,
        resetAt: hosts.spoolResetAt,
        setAside: hosts.setAside,
      },
    })
    .from(hosts)
    .where(and(eq(hosts.id, hostId), isNull(hosts.removedAt)))
  const [found] = await withJobs(db, bare)
  if (found === undefined) throw new Refusal('host_not_found', 'There is no such host.')
  const { publicKey, ...row } = found
  return {
    ...row,
    fingerprint: fingerprintOf(publicKey),
    policy: PolicySummary.safeParse(row.policy).data ?? null,
    spool: { ...row.spool, setAside: SetAside.safeParse(row.spool.setAside).data ?? null },
    updateAvailable: isOlderVersion(row.agentVersion, version) ? version : null,
    ...(await protectionOf(db, hostId)),
    suggestedBackup: await lastBackupOf(db, hostId),
    repositories: await repositoriesOf(db, hostId, scope),
  }
}

/** What the newest snapshot of each repository holds: the others, however many, are not looked at. A restic too old to say leaves it unknown. */
async function protectionOf(db: Db, hostId: string) {
  const newestHere = db
    .select({ sizeBytes: snapshots.sizeBytes, fileCount: snapshots.fileCount })
    .from(snapshots)
    .where(and(eq(snapshots.hostId, hostId), eq(snapshots.repositoryId, snapshotCounts.repositoryId)))
    .orderBy(desc(snapshots.time), desc(snapshots.id))
    .limit(1)
    .as('newest')
  const newest = await db
    .select({ sizeBytes: newestHere.sizeBytes, fileCount: newestHere.fileCount })
    .from(snapshotCounts)
    .innerJoinLateral(newestHere, sql`true`)
    .where(eq(snapshotCounts.hostId, hostId))
  const [oldest] = await db
    .select({ time: snapshots.time })
    .from(snapshots)
    .where(eq(snapshots.hostId, hostId))
    .orderBy(asc(snapshots.time))
    .limit(1)
  const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0) || null
  return {
    protectedBytes: sum(newest.map(snapshot => snapshot.sizeBytes)),
    protectedFiles: sum(newest.map(snapshot => snapshot.fileCount)),
    oldestSnapshotAt: oldest?.time ?? null,
  }
}

async function lastBackupOf(db: Db, hostId: string): Promise<HostView['suggestedBackup']> {
  const [job] = await db
    .select({ repositoryId: jobs.repositoryId, spec: jobs.spec })
    .from(jobs)
    .where(and(eq(jobs.hostId, hostId), eq(jobs.kind, 'backup'), sql`${jobs.spec} ? 'paths'`))
    .orderBy(desc(jobs.createdAt), desc(jobs.id))
    .limit(1)
  if (job === undefined) return null
  const { paths, excludes } = job.spec as BackupSpec
  return { repositoryId: job.repositoryId, paths, excludes: excludes ?? [] }
}
