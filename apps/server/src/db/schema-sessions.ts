// Tables of the sessions of agents, and of how far the spool of each is committed.
import { bigint, index, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { at } from './columns.ts'
import { hosts } from './schema.ts'

/** Nonces for one proof each. */
export const sessionChallenges = pgTable(
  'session_challenges',
  {
    nonce: text().primaryKey(),
    hostId: uuid('host_id')
      .notNull()
      .references(() => hosts.id, { onDelete: 'cascade' }),
    expiresAt: at('expires_at').notNull(),
  },
  table => [index('session_challenges_host').on(table.hostId)],
)

/** Every session a host ever proved, kept as long as the host: a session seen twice in the wrong order is a clone. */
export const agentSessions = pgTable(
  'agent_sessions',
  {
    hostId: uuid('host_id')
      .notNull()
      .references(() => hosts.id, { onDelete: 'cascade' }),
    id: uuid().notNull(), // the agent's `next`
    number: bigint({ mode: 'number' }).notNull().generatedAlwaysAsIdentity(),
    confirmed: uuid(),
    bearerHash: text('bearer_hash').unique(),
    bearerExpiresAt: at('bearer_expires_at'),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  table => [
    primaryKey({ columns: [table.hostId, table.id] }),
    index('agent_sessions_confirmed').on(table.hostId, table.confirmed),
  ],
)

/** How far each spool of a host has been committed, by lane. */
export const spools = pgTable(
  'spools',
  {
    hostId: uuid('host_id')
      .notNull()
      .references(() => hosts.id, { onDelete: 'cascade' }),
    epoch: uuid().notNull(),
    ackedFirst: bigint('acked_first', { mode: 'number' }).notNull().default(0),
    ackedRest: bigint('acked_rest', { mode: 'number' }).notNull().default(0),
  },
  table => [primaryKey({ columns: [table.hostId, table.epoch] })],
)
