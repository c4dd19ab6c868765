// Tables of outcomes: what is added up of jobs and sizes, so that no page has to.
import { sql } from 'drizzle-orm'
import { bigint, date, index, integer, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import type { ScheduleKind } from '@restic-manager/contract/schedule'
import { at } from './columns.ts'
import { hosts, repositories, schedules } from './schema.ts'

const outcomeCounts = {
  succeeded: integer().notNull().default(0),
  incomplete: integer().notNull().default(0),
  failed: integer().notNull().default(0),
  lost: integer().notNull().default(0),
  missed: integer().notNull().default(0),
  skipped: integer().notNull().default(0), // and expired, and cancelled
}

/**
 * What changed about the outcomes of jobs and was not counted yet. A trigger on `jobs` writes it, in the transaction of the change
 * and without a lock on anything; the counts of a row are the differences it makes. Taken away by who counts it.
 */
export const outcomeChanges = pgTable('outcome_changes', {
  id: bigint({ mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  hostId: uuid('host_id').notNull(),
  scheduleId: uuid('schedule_id'),
  repositoryId: uuid('repository_id').notNull(),
  day: date({ mode: 'string' }).notNull(),
  ...outcomeCounts,
})

/**
 * Backups of each host by day (UTC, of their slot) and outcome. The sum of what `outcome_changes` said. An index that holds the
 * counts as well was made by hand in its migration, for the sums of many hosts.
 */
export const hostDays = pgTable(
  'host_days',
  {
    hostId: uuid('host_id')
      .notNull()
      .references(() => hosts.id, { onDelete: 'cascade' }),
    day: date({ mode: 'string' }).notNull(),
    ...outcomeCounts,
  },
  table => [primaryKey({ columns: [table.hostId, table.day] })],
)

/** The same of all hosts. */
export const fleetDays = pgTable('fleet_days', {
  day: date({ mode: 'string' }).primaryKey(),
  ...outcomeCounts,
})

/**
 * How each schedule fares on each of its repositories. `status`: of the newest job that ran, null while none has. `since`: when it
 * began to go like that, `count` times in a row. `missed`: slots that passed unused after it.
 */
export const standings = pgTable(
  'standings',
  {
    scheduleId: uuid('schedule_id')
      .notNull()
      .references(() => schedules.id, { onDelete: 'cascade' }),
    repositoryId: uuid('repository_id').notNull(),
    hostId: uuid('host_id')
      .notNull()
      .references(() => hosts.id, { onDelete: 'cascade' }),
    kind: text().$type<ScheduleKind>().notNull(),
    status: text().$type<'succeeded' | 'incomplete' | 'failed' | 'lost'>(),
    jobId: uuid('job_id'),
    reason: text(),
    since: at('since'),
    count: integer().notNull().default(0),
    lastGoodAt: at('last_good_at'),
    missed: integer().notNull().default(0),
    missedSince: at('missed_since'),
  },
  table => [
    primaryKey({ columns: [table.scheduleId, table.repositoryId] }),
    index('standings_host').on(table.hostId),
    index('standings_not_well')
      .on(table.hostId, table.kind)
      .where(sql`status in ('incomplete', 'failed', 'lost') or missed > 0`),
  ],
)

/** How large a repository was on a day (UTC): the last figure of it. */
export const repositoryDays = pgTable(
  'repository_days',
  {
    repositoryId: uuid('repository_id')
      .notNull()
      .references(() => repositories.id, { onDelete: 'cascade' }),
    day: date({ mode: 'string' }).notNull(),
    sizeBytes: bigint('size_bytes', { mode: 'number' }).notNull(),
  },
  table => [primaryKey({ columns: [table.repositoryId, table.day] })],
)
