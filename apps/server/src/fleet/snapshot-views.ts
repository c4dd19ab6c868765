// Snapshots as operators see them, with what made each.
import { and, arrayContains, desc, eq, or, type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import { Refusal } from '@restic-manager/contract/refusal'
import type { SnapshotListRequest, SnapshotRequest } from '@restic-manager/contract/requests'
import type { SnapshotPage, SnapshotRow } from '@restic-manager/contract/snapshot-views'
import type { Db } from '../db/open.ts'
import { jobs, repositories } from '../db/schema.ts'
import { snapshotCounts, snapshots } from '../db/schema-snapshots.ts'
import { cursorAt, keysOf } from './cursor.ts'
import { ofFewHostsIn, ofHostsIn, ofManyHostsIn, type Scope, wholeFleet } from './scope.ts'

const selectSnapshots = (db: Db) =>
  db
    .select({
      id: snapshots.id,
      shortId: snapshots.shortId,
      time: snapshots.time,
      hostname: snapshots.hostname,
      paths: snapshots.paths,
      tags: snapshots.tags,
      sizeBytes: snapshots.sizeBytes,
      fileCount: snapshots.fileCount,
      repositoryId: snapshots.repositoryId,
      repositoryName: repositories.name,
      hostId: snapshots.hostId,
      jobId: snapshots.jobId,
      jobStatus: sql<SnapshotRow['jobStatus']>`case when ${jobs.reported} then ${jobs.status} end`,
      retention: sql<SnapshotRow['retention']>`(select thins.definition -> 'retention' from schedules thins
        where thins.host_id = ${snapshots.hostId} and thins.kind = 'forget' and thins.enabled and thins.deleted_at is null
        and thins.definition -> 'forgets' ? ${jobs.scheduleId}::text order by thins.created_at limit 1)`,
    })
    .from(snapshots)
    .innerJoin(repositories, eq(repositories.id, snapshots.repositoryId))
    // A tag may name any job; only one of the same host has made the snapshot.
    .leftJoin(jobs, and(eq(jobs.id, snapshots.jobId), eq(jobs.hostId, snapshots.hostId)))

const Keys = z.tuple([z.number(), z.string().max(64), z.uuid()])

/** Counting what matches words or a tag ends here. */
const MOST_COUNTED = 10_000

const holding = ({ tag, search = '' }: z.infer<typeof SnapshotListRequest>): SQL | undefined => {
  const words = search.trim()
  const pattern = `%${words.replaceAll(/[\\%_]/g, '\\$&')}%`
  return and(
    tag === undefined ? undefined : arrayContains(snapshots.tags, [tag]),
    words === ''
      ? undefined
      : or(
          sql`${snapshots.id} like ${words.toLowerCase()} || '%'`,
          sql`${snapshots.hostname} ilike ${pattern}`,
          sql`exists (select 1 from unnest(${snapshots.paths}) as held(path) where held.path ilike ${pattern})`,
        ),
  )
}

/** A page of snapshots, newest first. */
export async function snapshotPage(
  db: Db,
  scope: Scope,
  request: z.infer<typeof SnapshotListRequest>,
): Promise<SnapshotPage> {
  const after = keysOf(Keys, request.cursor)
  const { hostId, repositoryId } = request
  const held = holding(request)
  // Of one host all are seen or none.
  const passesOver = scope !== undefined && hostId === undefined
  const asked = (table: typeof snapshots | typeof snapshotCounts, within = ofHostsIn) =>
    and(
      within(scope, table.hostId),
      hostId === undefined ? undefined : eq(table.hostId, hostId),
      repositoryId === undefined ? undefined : eq(table.repositoryId, repositoryId),
    )
  const most = request.limit + 1
  const newestFirst = [desc(snapshots.time), desc(snapshots.id), desc(snapshots.repositoryId)]
  const which = and(
    asked(snapshots, passesOver ? ofManyHostsIn : ofHostsIn),
    held,
    after &&
      sql`(${snapshots.time}, ${snapshots.id}, ${snapshots.repositoryId})
        < (${new Date(after[0]).toISOString()}::timestamptz, ${after[1]}, ${after[2]}::uuid)`,
  )
  // Whose a snapshot is stands in the index: those of hosts that are not seen are passed over there.
  const seen = db
    .select({ repositoryId: snapshots.repositoryId, id: snapshots.id })
    .from(snapshots)
    .where(which)
    .orderBy(...newestFirst)
    .limit(most)
  const rows = await selectSnapshots(db)
    .where(passesOver ? sql`(${snapshots.repositoryId}, ${snapshots.id}) in (${seen})` : which)
    .orderBy(...newestFirst)
    .limit(most)
  const [counted] =
    held === undefined
      ? await db
          .select({ total: sql<number>`coalesce(sum(${snapshotCounts.count}), 0)::integer` })
          .from(snapshotCounts)
          .where(asked(snapshotCounts))
      : await db.select({ total: sql<number>`count(*)::integer` }).from(
          db
            .select({ id: snapshots.id })
            .from(snapshots)
            .where(and(asked(snapshots), held))
            .limit(MOST_COUNTED)
            .as('some'),
        )
  const page = rows.slice(0, request.limit)
  const last = page.at(-1)
  const hasMore = rows.length > page.length && last !== undefined
  return {
    rows: page,
    nextCursor: hasMore ? cursorAt([last.time.getTime(), last.id, last.repositoryId]) : null,
    total: counted?.total ?? 0,
  }
}

/** One snapshot. Throws `repository_not_found` when it, or its repository, is not known here. */
export async function viewSnapshot(
  db: Db,
  { repositoryId, snapshotId }: z.infer<typeof SnapshotRequest>,
  scope: Scope = wholeFleet,
): Promise<SnapshotRow> {
  const [row] = await selectSnapshots(db).where(
    and(
      eq(snapshots.repositoryId, repositoryId),
      eq(snapshots.id, snapshotId),
      ofFewHostsIn(scope, snapshots.hostId),
    ),
  )
  if (row === undefined)
    throw new Refusal('repository_not_found', 'There is no such snapshot in this repository.')
  return row
}
