// The table of alerts.
import { sql } from 'drizzle-orm'
import { index, integer, pgTable, text, uniqueIndex, uuid } from 'drizzle-orm/pg-core'
import type { AlertKind } from '@restic-manager/contract/attention'
import { at } from './columns.ts'
import { hosts } from './schema.ts'
import { enrolments } from './schema-enrolments.ts'

/**
 * What needs a person. At most one that is not cleared for each `kind` and `subject` (the id of what it is about): what happens
 * again is counted there.
 */
export const alerts = pgTable(
  'alerts',
  {
    id: uuid().primaryKey(),
    kind: text().$type<AlertKind>().notNull(),
    subject: uuid().notNull(),
    hostId: uuid('host_id').references(() => hosts.id, { onDelete: 'cascade' }),
    enrolmentId: uuid('enrolment_id').references(() => enrolments.id, { onDelete: 'cascade' }),
    repositoryId: uuid('repository_id'),
    scheduleId: uuid('schedule_id'),
    jobId: uuid('job_id'), // the newest job it is about
    reason: text(),
    sentence: text().notNull(),
    detail: text(),
    lastGoodAt: at('last_good_at'),
    since: at('since').notNull().defaultNow(),
    lastSeenAt: at('last_seen_at').notNull().defaultNow(),
    count: integer().notNull().default(1),
    acknowledgedBy: text('acknowledged_by'), // an operator's e-mail
    acknowledgedAt: at('acknowledged_at'),
    clearedAt: at('cleared_at'),
  },
  table => [
    uniqueIndex('alerts_open')
      .on(table.kind, table.subject)
      .where(sql`cleared_at is null`),
    index('alerts_since').on(table.since, table.id),
    index('alerts_host').on(table.hostId),
    index('alerts_enrolment').on(table.enrolmentId),
    index('alerts_cleared').on(table.clearedAt),
  ],
)
