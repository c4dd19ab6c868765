// The mirror of restic's snapshots: reports come in pages and replace a host's list as a whole.
import { and, eq, ne, sql } from 'drizzle-orm'
import type { Ack } from '@restic-manager/contract/fact'
import { Refusal } from '@restic-manager/contract/refusal'
import { snapshotTags, type SnapshotsReport } from '@restic-manager/contract/snapshots'
import { notify } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { hostRepositories, snapshotReportPages } from '../db/schema.ts'
import { holdHost, keepFact, type Sender } from './facts.ts'

/**
 * Keeps a page; with the last one the sender's snapshots in this repository become what the report says, at once. A page of a
 * newer report drops an older one that is not complete. Safe to deliver twice. A repository unknown here, or not the
 * host's, is acknowledged and dropped. Throws `not_allowed` for the whole of a repository: no host is its maintenance host.
 */
export async function keepSnapshotReport(db: Db, sender: Sender, report: SnapshotsReport): Promise<Ack> {
  if (report.scope === 'whole')
    throw new Refusal(
      'not_allowed',
      'Only the maintenance host of a repository may report all of its snapshots.',
    )
  if (report.page >= report.pages) throw new Refusal('bad_input', 'page: must be less than pages')
  return db.transaction(async tx => {
    await holdHost(tx, sender)
    const isNew = await keepFact(tx, sender, report)
    if (isNew && (await hasAccess(tx, sender.id, report.repositoryId))) {
      await stagePage(tx, sender, report)
      if (await isComplete(tx, sender, report)) await swapIn(tx, sender, report)
    }
    return { seq: report.seq }
  })
}

async function hasAccess(tx: Db, hostId: string, repositoryId: string): Promise<boolean> {
  const links = await tx
    .select({ hostId: hostRepositories.hostId })
    .from(hostRepositories)
    .where(and(eq(hostRepositories.hostId, hostId), eq(hostRepositories.repositoryId, repositoryId)))
    .for('key share')
  return links.length > 0
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

/** All in the database: a list of many thousands never passes through this process again. */
async function swapIn(tx: Db, sender: Sender, report: SnapshotsReport) {
  const { repositoryId, reportId } = report
  await tx.execute(sql`
    with listed as materialized (
      select distinct on (entry.id) entry.*
      from snapshot_report_pages page, jsonb_to_recordset(page.snapshots) as entry(
        id text, "shortId" text, time timestamptz, hostname text, paths text[], tags text[], "sizeBytes" bigint, "fileCount" bigint)
      where page.host_id = ${sender.id} and page.repository_id = ${repositoryId} and page.report_id = ${reportId}
        and ${snapshotTags.host(sender.id)} = any(entry.tags)
      order by entry.id, page.page desc
    ), gone as (
      delete from snapshots where repository_id = ${repositoryId} and host_id = ${sender.id}
        and not exists (select 1 from listed where listed.id = snapshots.id)
    )
    insert into snapshots (repository_id, id, short_id, taken_at, hostname, paths, tags, size_bytes, file_count, host_id, job_id)
    select ${repositoryId}::uuid, id, "shortId", time, hostname, paths, tags, "sizeBytes", "fileCount", ${sender.id}::uuid,
      (select substring(tag from ${`^rm-job=(${uuid})$`})::uuid from unnest(tags) as tag where tag ~ ${`^rm-job=${uuid}$`} limit 1)
    from listed
    on conflict (repository_id, id) do update set
      taken_at = excluded.taken_at, hostname = excluded.hostname, paths = excluded.paths, tags = excluded.tags,
      size_bytes = excluded.size_bytes, file_count = excluded.file_count, job_id = excluded.job_id
    where snapshots.host_id is not distinct from excluded.host_id`)
  await tx.execute(sql`
    insert into snapshot_counts (repository_id, host_id, count)
    select ${repositoryId}::uuid, ${sender.id}::uuid, count(*) from snapshots
    where repository_id = ${repositoryId} and host_id = ${sender.id}
    on conflict (repository_id, host_id) do update set count = excluded.count`)
  await tx.delete(snapshotReportPages).where(pagesOf(sender, report))
  await notify(tx, 'snapshots', repositoryId)
  await notify(tx, 'repository', repositoryId)
  await notify(tx, 'host', sender.id)
}
