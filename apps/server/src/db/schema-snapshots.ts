// Tables of the mirror of each repository's snapshots.
import { bigint, index, integer, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import type { Snapshot } from '@restic-manager/contract/snapshots'
import { at, bytes } from './columns.ts'
import { hosts, repositories } from './schema.ts'

/**
 * The mirror of each repository's snapshots. `hostId` and `jobId` come from their tags. The indexes for the newest of all and of a repository
 * hold whose each is as well, which was made by hand in a migration.
 */
export const snapshots = pgTable(
  'snapshots',
  {
    repositoryId: uuid('repository_id')
      .notNull()
      .references(() => repositories.id, { onDelete: 'cascade' }),
    id: text().notNull(),
    shortId: text('short_id').notNull(),
    time: at('taken_at').notNull(),
    hostname: text().notNull(),
    paths: text().array().notNull(),
    tags: text().array().notNull(),
    sizeBytes: bytes('size_bytes').notNull(),
    fileCount: bigint('file_count', { mode: 'number' }).notNull(),
    hostId: uuid('host_id').references(() => hosts.id, { onDelete: 'set null' }),
    jobId: uuid('job_id'),
  },
  table => [
    primaryKey({ columns: [table.repositoryId, table.id] }),
    index('snapshots_host_newest').on(table.hostId, table.time, table.id),
    index('snapshots_repository_newest').on(table.repositoryId, table.time, table.id),
    index('snapshots_newest').on(table.time, table.id, table.repositoryId),
    index('snapshots_job').on(table.jobId),
  ],
)

/** How many snapshots of each host the mirror of each repository holds: lists must not count them one by one. Written with the mirror. */
export const snapshotCounts = pgTable(
  'snapshot_counts',
  {
    repositoryId: uuid('repository_id')
      .notNull()
      .references(() => repositories.id, { onDelete: 'cascade' }),
    hostId: uuid('host_id')
      .notNull()
      .references(() => hosts.id, { onDelete: 'cascade' }),
    count: integer().notNull(),
  },
  table => [
    primaryKey({ columns: [table.repositoryId, table.hostId] }),
    index('snapshot_counts_host').on(table.hostId),
  ],
)

/** Pages of snapshot reports that are not complete yet. */
export const snapshotReportPages = pgTable(
  'snapshot_report_pages',
  {
    hostId: uuid('host_id')
      .notNull()
      .references(() => hosts.id, { onDelete: 'cascade' }),
    repositoryId: uuid('repository_id').notNull(),
    reportId: uuid('report_id').notNull(),
    page: integer().notNull(),
    pages: integer().notNull(),
    snapshots: jsonb().$type<Snapshot[]>().notNull(),
    receivedAt: at('received_at').notNull().defaultNow(),
  },
  table => [primaryKey({ columns: [table.hostId, table.repositoryId, table.reportId, table.page] })],
)
