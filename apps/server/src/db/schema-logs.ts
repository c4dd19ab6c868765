// Tables of what running jobs say: their newest progress, and their logs.
import { bigint, date, foreignKey, integer, jsonb, pgTable, primaryKey, uuid } from 'drizzle-orm/pg-core'
import type { Progress } from '@restic-manager/contract/job'
import { at, bytea } from './columns.ts'
import { jobs } from './schema.ts'

/** The newest progress of running jobs. Made UNLOGGED by hand in its migration: losing it in a crash costs nothing. */
export const jobProgress = pgTable(
  'job_progress',
  {
    jobId: uuid('job_id').primaryKey(),
    hostId: uuid('host_id').notNull(),
    progress: jsonb().$type<Progress>().notNull(),
    updatedAt: at('updated_at').notNull().defaultNow(),
  },
  table => [
    foreignKey({ columns: [table.jobId, table.hostId], foreignColumns: [jobs.id, jobs.hostId] }).onDelete(
      'cascade',
    ),
  ],
)

/**
 * Log blocks as they came, compressed with zstd. Partitioned by `day`, the job's `logDay`, by hand in its migration: a day that
 * is old is dropped whole. The key begins with the job, so that a job's rows are found without the day too.
 */
export const logBlocks = pgTable(
  'log_blocks',
  {
    day: date({ mode: 'string' }).notNull(),
    jobId: uuid('job_id').notNull(),
    hostId: uuid('host_id').notNull(),
    firstSeq: bigint('first_seq', { mode: 'number' }).notNull(),
    count: bigint({ mode: 'number' }).notNull(),
    startedAt: at('started_at').notNull(),
    block: bytea().notNull(),
    receivedAt: at('received_at').notNull().defaultNow(),
  },
  table => [
    primaryKey({ columns: [table.jobId, table.firstSeq, table.day] }),
    foreignKey({ columns: [table.jobId, table.hostId], foreignColumns: [jobs.id, jobs.hostId] }).onDelete(
      'cascade',
    ),
  ],
)

/** Days whose logs were removed. `keptDays`: the setting at that time; `lateBlocks`: blocks that came after and were let go. */
export const removedLogDays = pgTable('removed_log_days', {
  day: date({ mode: 'string' }).primaryKey(),
  keptDays: integer('kept_days').notNull(),
  removedAt: at('removed_at').notNull().defaultNow(),
  lateBlocks: integer('late_blocks').notNull().default(0),
})
