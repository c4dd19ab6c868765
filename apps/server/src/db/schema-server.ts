// Tables of what a server keeps for itself: settings, the turns of chores, acts on many hosts.
import { sql } from 'drizzle-orm'
import { index, integer, jsonb, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import type { BulkKind, BulkProgress } from '@restic-manager/contract/bulk'
import { at } from './columns.ts'

/** Single values of this installation, such as the hash of the set-up secret and the fingerprint of the sealing key. */
export const settings = pgTable('settings', { name: text().primaryKey(), value: jsonb().notNull() })

/** What servers do by the clock, each chore once a round, whichever server comes first. `nextAt`: when the next round is due. */
export const choreTurns = pgTable('chore_turns', {
  name: text().primaryKey(),
  nextAt: at('next_at').notNull(),
})

/** Acts on many hosts at once, the id being the request's: the hosts are settled when it begins, `done` is how far it has come. */
export const bulkActs = pgTable(
  'bulk_acts',
  {
    id: uuid().primaryKey(),
    kind: text().$type<BulkKind>().notNull(),
    detail: jsonb().$type<{ tag?: string; reason?: string; until?: string; filter?: object }>().notNull(),
    hostIds: uuid('host_ids').array().notNull(),
    actor: jsonb()
      .$type<{ kind: 'operator' | 'api key'; id?: string; name: string; address?: string }>()
      .notNull(),
    done: integer().notNull().default(0),
    changed: integer().notNull().default(0),
    already: integer().notNull().default(0),
    refused: integer().notNull().default(0),
    why: jsonb().$type<BulkProgress['why']>().notNull().default([]), // of the first that refused
    createdAt: at('created_at').notNull().defaultNow(),
    finishedAt: at('finished_at'),
  },
  table => [
    index('bulk_acts_open')
      .on(table.createdAt)
      .where(sql`${table.finishedAt} is null`),
  ],
)
