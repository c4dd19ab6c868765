// The mirror of restic's snapshots: reports come in pages and replace a host's list as a whole, or that of a repository.
import { and, eq, ne, sql } from 'drizzle-orm'
import type { Ack } from '@restic-manager/contract/fact'
import { Refusal } from '@restic-manager/contract/refusal'
import { snapshotTags, type SnapshotsReport } from '@restic-manager/contract/snapshots'
import { notifyAll } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { hostRepositories, repositories } from '../db/schema.ts'
import { snapshotReportPages } from '../db/schema-snapshots.ts'
import { takeFact, type Sender } from './facts.ts'

/**
 * Keeps a page; with the last one the sender's snapshots in this repository become what the report says, at once, and all of
 * the repository's when its maintenance host reports the whole. A page of a newer report drops an older one that is not
 * complete. Safe to deliver twice. What a host may not say is acknowledged and dropped: of a repository that is unknown here or
 * not its own, and the whole of one that it does not maintain, perhaps not any more.
 */
export async function keepSnapshotReport(db: Db, sender: Sender, report: SnapshotsReport): Promise<Ack> {
  if (report.page >= report.pages) throw new Refusal('bad_input', 'page: must be less than pages')
  return db.transaction(async tx => {
    const { isNew } = await takeFact(tx, sender, report)
    if (isNew && (await mayReport(tx, sender.id, report))) {
      await stagePage(tx, sender, report)
      if (await isComplete(tx, sender, report)) await swapIn(tx, sender, report)
    }
    return { seq: report.seq }
  })
}

async function mayReport(tx: Db, hostId: string, { repositoryId, scope }: SnapshotsReport): Promise<boolean> {
  const [repository] = await tx
    .select({ maintenanceHostId: repositories.maintenanceHostId, linked: hostRepositories.hostId })
    .from(repositories)
    .leftJoin(
      hostRepositories,
      and(eq(hostRepositories.repositoryId, repositories.id), eq(hostRepositories.hostId, hostId)),
    )
    .where(eq(repositories.id, repositoryId))
    .for('key share', { of: repositories })
  if (repository === undefined) return false
  return repository.maintenanceHostId === hostId || (scope === 'own' && repository.linked !== null)
}

const pagesOf = ({ id }: Sender, { repositoryId }: SnapshotsReport) =>
  and(eq(snapshotReportPages.hostId, id), eq(snapshotReportPages.repositoryId, repositoryId))

async function stagePage(tx: Db, sender: Sender, report: SnapshotsReport) {
  const { repositoryId, reportId, page, pages, snapshots } = report
  await tx
    .delete(snapshotReportPages)
    .where(and(pagesOf(sender, report), ne(snapshotReportPages.reportId, reportId)))
  await tx
    .insert(snapshotReportPages)
    .values({ hostId: sender.id, repositoryId, reportId, page, pages, snapshots })
    .onConflictDoUpdate({
      target: [
        snapshotReportPages.hostId,
        snapshotReportPages.repositoryId,
        snapshotReportPages.reportId,
        snapshotReportPages.page,
      ],
      set: { pages, snapshots, receivedAt: sql`now()` },
    })
}

async function isComplete(tx: Db, sender: Sender, report: SnapshotsReport): Promise<boolean> {
  const [staged] = await tx
    .select({ pages: sql<number>`count(*)::integer` })
    .from(snapshotReportPages)
    .where(and(pagesOf(sender, report), sql`${snapshotReportPages.page} < ${report.pages}`))
  return staged?.pages === report.pages
}

const uuid = '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}'

/** The id behind a tag of ours, in SQL; null when a snapshot carries none that is one. */
const taggedIn = (name: 'rm-host' | 'rm-job') =>
  sql`(select substring(tag from ${`^${name}=(${uuid})$`})::uuid from unnest(entry.tags) as tag where tag ~ ${`^${name}=${uuid}$`} limit 1)`

/**
 * All in the database: a list of many thousands never passes through this process again. Of its own list a host takes in only
 * what carries its tag and nobody else is known by; the maintenance host has seen the repository itself, so its word on whose
 * a snapshot is wins.
 */
async function swapIn(tx: Db, sender: Sender, report: SnapshotsReport) {
  const { repositoryId, reportId } = report
  const isWhole = report.scope === 'whole'
  const mine = snapshotTags.host(sender.id)
  const hostId = isWhole
    ? sql`(select hosts.id from hosts where hosts.id = listed.tagged_host)`
    : sql`${sender.id}::uuid`
  const replaced = isWhole ? sql`true` : sql`snapshots.host_id = ${sender.id}`
  // Reports of one repository follow each other: two at once would count what the other is changing.
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`mirror ${repositoryId}`}, 0))`)
  await tx.execute(sql`
    with listed as materialized (
      select distinct on (entry.id) entry.*, ${taggedIn('rm-host')} as tagged_host, ${taggedIn('rm-job')} as tagged_job
      from snapshot_report_pages page, jsonb_to_recordset(page.snapshots) as entry(
        id text, "shortId" text, time timestamptz, hostname text, paths text[], tags text[], "sizeBytes" bigint, "fileCount" bigint)
      where page.host_id = ${sender.id} and page.repository_id = ${repositoryId} and page.report_id = ${reportId}
        and (${isWhole} or ${mine} = any(entry.tags))
      order by entry.id, page.page desc
    ), gone as (
      delete from snapshots where repository_id = ${repositoryId} and ${replaced}
        and id not in (select listed.id from listed) -- hashed; as a join PostgreSQL, which cannot guess how long the list is, compares each with each
    )
    insert into snapshots (repository_id, id, short_id, taken_at, hostname, paths, tags, size_bytes, file_count, host_id, job_id)
    select ${repositoryId}::uuid, id, "shortId", time, hostname, paths, tags, "sizeBytes", "fileCount", ${hostId}, tagged_job
    from listed
    on conflict (repository_id, id) do update set
      taken_at = excluded.taken_at, hostname = excluded.hostname, paths = excluded.paths, tags = excluded.tags,
      size_bytes = excluded.size_bytes, file_count = excluded.file_count, host_id = excluded.host_id, job_id = excluded.job_id
    where ${isWhole} or snapshots.host_id is not distinct from excluded.host_id`)
  const touched = await countMirror(tx, repositoryId, isWhole ? undefined : sender.id)
  await tx.delete(snapshotReportPages).where(pagesOf(sender, report))
  await notifyAll(tx, {
    snapshots: [repositoryId],
    repository: [repositoryId],
    host: [sender.id, ...touched],
  })
}

/** Counts the mirror of a repository again, of one host or of all. Answers whose count changed. */
async function countMirror(tx: Db, repositoryId: string, hostId: string | undefined): Promise<string[]> {
  const changed = await tx.execute<{ hostId: string }>(sql`
    with counted as (
      select host_id, count(*)::integer as count from snapshots
      where repository_id = ${repositoryId} and ${hostId === undefined ? sql`host_id is not null` : sql`host_id = ${hostId}`}
      group by host_id
    ), wanted as (
      select host_id, count from counted
      union all
      select held.host_id, 0 from snapshot_counts held
      where held.repository_id = ${repositoryId} and ${hostId === undefined ? sql`true` : sql`held.host_id = ${hostId}`}
        and held.host_id not in (select counted.host_id from counted)
    )
    insert into snapshot_counts (repository_id, host_id, count)
    select ${repositoryId}::uuid, host_id, count from wanted order by host_id
    on conflict (repository_id, host_id) do update set count = excluded.count
    where snapshot_counts.count is distinct from excluded.count
    returning host_id as "hostId"`)
  return changed.map(row => row.hostId)
}
