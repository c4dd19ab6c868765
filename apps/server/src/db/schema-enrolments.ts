// The table of the tokens that let machines in.
import { sql } from 'drizzle-orm'
import { boolean, integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { at } from './columns.ts'

/** One-time (or several-times) tokens that let a machine in. Only the SHA-256 of the token is kept. */
export const enrolments = pgTable('enrolments', {
  id: uuid().primaryKey(),
  requestId: uuid('request_id').notNull().unique(),
  tokenHash: text('token_hash').notNull().unique(),
  createdBy: text('created_by').notNull(), // an operator's e-mail, or "admin command"
  createdAt: at('created_at').notNull().defaultNow(),
  expiresAt: at('expires_at').notNull(),
  maxUses: integer('max_uses').notNull(),
  usesLeft: integer('uses_left').notNull(),
  tags: text()
    .array()
    .notNull()
    .default(sql`'{}'`),
  needsApproval: boolean('needs_approval').notNull().default(false), // who comes in with it waits for an admin
  revokedAt: at('revoked_at'),
  refusedCount: integer('refused_count').notNull().default(0),
  lastRefusedAt: at('last_refused_at'),
})
