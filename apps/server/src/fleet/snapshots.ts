// The mirror of restic's snapshots: reports come in pages and replace a host's list as a whole, or that of a repository.
import { and, eq, ne, type SQL, sql } from 'drizzle-orm'
import type { Ack } from '@restic-manager/contract/fact'
import { Refusal } from '@restic-manager/contract/refusal'
import type { SnapshotsReport } from '@restic-manager/contract/snapshots'
import { notifyAll, telling } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { hostRepositories, repositories } from '../db/schema.ts'
import { snapshotReportPages } from '../db/schema-snapshots.ts'
import { takeFact, type Sender } from './facts.ts'
import { answersTo, heldFacts, isNewFact, takenFacts, tellTogether, type Told, toldBy } from './many-facts.ts'

/**
 * Keeps a page; with the last one the sender's snapshots in this repository become what the report says, at once, and all of
 * the repository's when its maintenance host reports the whole. A page of a newer report drops an older one that is not
 * complete. Safe to deliver twice. What a host may not say is acknowledged and dropped: of a repository that is unknown here or
 * not its own, and the whole of one that it does not maintain, perhaps not any more.
 */
export async function keepSnapshotReport(db: Db, sender: Sender, fact: SnapshotsReport): Promise<Ack> {
  if (fact.page >= fact.pages) throw new Refusal('bad_input', 'page: must be less than pages')
  return tellReport(db, { sender, fact })
}

type Report = { sender: Sender; fact: SnapshotsReport }

/** Lists of their own that are one page long: these are never staged. */
async function keepTogether(db: Db, reports: readonly Report[]) {
  const told = reports.map(toldBy)
  const rows = await db.transaction(async tx => {
    const taken = await takeReports(tx, told)
    const news = taken.flatMap(({ at, isNew }) => (isNew ? (told[at] ?? []) : []))
    if (news.length > 0) await swapOwn(tx, reportedIn(news))
    return taken
  })
  return answersTo(told, rows, ({ seq }) => ({ seq }))
}

/** As `keepSnapshotReport`, one host in one transaction. */
export const keepCarefully = (db: Db, { sender, fact }: Report): Promise<Ack> =>
  db.transaction(async tx => {
    const { isNew } = await takeFact(tx, sender, fact)
    if (isNew && (await mayReport(tx, sender.id, fact))) {
      await stagePage(tx, sender, fact)
      if (await isComplete(tx, sender, fact)) await swapIn(tx, sender, fact)
    }
    return { seq: fact.seq }
  })

const tellReport = tellTogether(keepTogether, keepCarefully)

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

/** Takes the facts, their repositories and the mirrors of these; of those that may say so, and whom nobody else holds. */
const takeReports = (tx: Db, told: readonly Told<SnapshotsReport>[]) =>
  tx.execute<{ at: number; isNew: boolean }>(sql`
    with ${heldFacts(
      told.map(({ snapshots: _, ...fact }) => fact),
      sql`, "repositoryId" uuid, scope text, pages integer`,
      { alone: false, lock: 'share' },
    )}, known as materialized (
      select held.* from repositories join held on held."repositoryId" = repositories.id
      where held.scope = 'own' and held.pages = 1 and (repositories.maintenance_host_id = held.id
        or exists (select from host_repositories
          where host_repositories.host_id = held.id and host_repositories.repository_id = held."repositoryId"))
      order by repositories.id for key share of repositories skip locked
    ), mirrors as materialized (
      select distinct "repositoryId" as id from known order by id
    ), ${takenFacts}
    select known.at, ${isNewFact} as "isNew", (select count(${lockMirror(sql`mirrors.id`)}) from mirrors) from known`)

/** Reports of one repository follow each other: two at once would count what the other is changing. */
const lockMirror = (repositoryId: SQL) =>
  sql`pg_advisory_xact_lock(hashtextextended('mirror ' || ${repositoryId}, 0))`

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

const entryColumns = sql`id text, "shortId" text, time timestamptz, hostname text, paths text[], tags text[], "sizeBytes" bigint,
  "fileCount" bigint`
const snapshotColumns = sql`repository_id, id, short_id, taken_at, hostname, paths, tags, size_bytes, file_count, host_id, job_id`
const asListed = sql`taken_at = excluded.taken_at, hostname = excluded.hostname, paths = excluded.paths, tags = excluded.tags,
  size_bytes = excluded.size_bytes, file_count = excluded.file_count, host_id = excluded.host_id, job_id = excluded.job_id`

async function swapIn(tx: Db, sender: Sender, report: SnapshotsReport) {
  await tx.execute(sql`select ${lockMirror(sql`${report.repositoryId}::uuid`)}`)
  if (report.scope === 'whole') await swapWhole(tx, sender, report)
  else await swapOwn(tx, stagedOf(sender, report))
}

/** The pages of one report, as `swapOwn` and `swapWhole` read them. */
const stagedOf = ({ id }: Sender, { repositoryId, reportId }: SnapshotsReport): SQL => sql`
  select host_id as "hostId", repository_id as "repositoryId", page, snapshots from snapshot_report_pages
  where host_id = ${id} and repository_id = ${repositoryId} and report_id = ${reportId}`

/** As many reports, each of one page. */
const reportedIn = (told: readonly Told<SnapshotsReport>[]): SQL => {
  const rows = told.map(({ id, repositoryId, page, snapshots }) => ({
    hostId: id,
    repositoryId,
    page,
    snapshots,
  }))
  return sql`select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
    as said("hostId" uuid, "repositoryId" uuid, page integer, snapshots jsonb)`
}

/**
 * Makes the lists of hosts what they report. A host takes in only what carries its tag and nobody else is known by. All in the
 * database, as of the whole: a list of many thousands never passes through this process again.
 */
async function swapOwn(tx: Db, pages: SQL) {
  await tx.execute(sql`
    with pages as materialized (${pages}), report as materialized (
      select distinct "hostId", "repositoryId" from pages
    ), listed as materialized (
      select distinct on (pages."repositoryId", entry.id) pages."hostId", pages."repositoryId", entry.*, ${taggedIn('rm-job')} as tagged_job
      from pages, jsonb_to_recordset(pages.snapshots) as entry(${entryColumns})
      where 'rm-host=' || pages."hostId" = any(entry.tags)
      order by pages."repositoryId", entry.id, pages.page desc
    ), gone as (
      delete from snapshots using report
      where snapshots.repository_id = report."repositoryId" and snapshots.host_id = report."hostId"
        -- hashed; as a join PostgreSQL, which cannot guess how long the list is, compares each with each
        and (snapshots.host_id, snapshots.repository_id, snapshots.id) not in (select listed."hostId", listed."repositoryId", listed.id from listed)
    ), swapped as (
      insert into snapshots (${snapshotColumns})
      select "repositoryId", id, "shortId", time, hostname, paths, tags, "sizeBytes", "fileCount", "hostId", tagged_job from listed
      on conflict (repository_id, id) do update set ${asListed}
      where snapshots.host_id is not distinct from excluded.host_id
      returning repository_id, host_id
    ), counted as (
      select report.*, count(swapped.host_id)::integer as count from report
      left join swapped on swapped.host_id = report."hostId" and swapped.repository_id = report."repositoryId"
      group by report."hostId", report."repositoryId"
    ), kept as (
      insert into snapshot_counts (repository_id, host_id, count)
      select "repositoryId", "hostId", count from counted
      where count > 0 or exists (select from snapshot_counts before
        where before.repository_id = counted."repositoryId" and before.host_id = counted."hostId")
      order by "repositoryId", "hostId"
      on conflict (repository_id, host_id) do update set count = excluded.count
      where snapshot_counts.count is distinct from excluded.count
    ), unstaged as (
      delete from snapshot_report_pages staged using report
      where staged.host_id = report."hostId" and staged.repository_id = report."repositoryId"
    )
    select ${telling('snapshots', sql`"repositoryId"`)}, ${telling('repository', sql`"repositoryId"`)}, ${telling('host', sql`"hostId"`)}
    from report`)
}

/** Makes the mirror what its maintenance host has seen in the repository itself: its word on whose a snapshot is wins. */
async function swapWhole(tx: Db, sender: Sender, report: SnapshotsReport) {
  const { repositoryId } = report
  await tx.execute(sql`
    with pages as materialized (${stagedOf(sender, report)}), listed as materialized (
      select distinct on (entry.id) entry.*, ${taggedIn('rm-host')} as tagged_host, ${taggedIn('rm-job')} as tagged_job
      from pages, jsonb_to_recordset(pages.snapshots) as entry(${entryColumns})
      order by entry.id, pages.page desc
    ), gone as (
      delete from snapshots where repository_id = ${repositoryId} and id not in (select listed.id from listed)
    )
    insert into snapshots (${snapshotColumns})
    select ${repositoryId}::uuid, id, "shortId", time, hostname, paths, tags, "sizeBytes", "fileCount",
      (select hosts.id from hosts where hosts.id = listed.tagged_host), tagged_job
    from listed
    on conflict (repository_id, id) do update set ${asListed}`)
  const touched = await countMirror(tx, repositoryId)
  await tx.delete(snapshotReportPages).where(pagesOf(sender, report))
  await notifyAll(tx, {
    snapshots: [repositoryId],
    repository: [repositoryId],
    host: [sender.id, ...touched],
  })
}

/** Counts the mirror of a repository again. Answers whose count changed. */
async function countMirror(tx: Db, repositoryId: string): Promise<string[]> {
  const changed = await tx.execute<{ hostId: string }>(sql`
    with counted as (
      select host_id, count(*)::integer as count from snapshots
      where repository_id = ${repositoryId} and host_id is not null
      group by host_id
    ), wanted as (
      select host_id, count from counted
      union all
      select held.host_id, 0 from snapshot_counts held
      where held.repository_id = ${repositoryId} and held.host_id not in (select counted.host_id from counted)
    )
    insert into snapshot_counts (repository_id, host_id, count)
    select ${repositoryId}::uuid, host_id, count from wanted order by host_id
    on conflict (repository_id, host_id) do update set count = excluded.count
    where snapshot_counts.count is distinct from excluded.count
    returning host_id as "hostId"`)
  return changed.map(row => row.hostId)
}
