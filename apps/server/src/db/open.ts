// Connections to PostgreSQL: the pool behind Drizzle, and a plain client for LISTEN and bulk inserts.
import type { PgDatabase } from 'drizzle-orm/pg-core'
import { drizzle, type PostgresJsQueryResultHKT } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import * as schema from './schema.ts'

/** The database, or a transaction in it: a verb cannot tell and need not. */
export type Db = PgDatabase<PostgresJsQueryResultHKT, typeof schema>

/** An open database. `sql` is a second client that Drizzle has not touched: it keeps its own two connections. */
export type OpenDatabase = { db: Db; sql: postgres.Sql; close(): Promise<void> }

const limits = {
  statement_timeout: 30_000,
  lock_timeout: 10_000,
  idle_in_transaction_session_timeout: 30_000,
}

/**
 * A postgres.js client for `url`. A unix socket is written as libpq writes it:
 * `postgres://user:password@localhost/name?host=/folder/of/the/socket`.
 */
export function connect(url: string, options: postgres.Options<Record<string, never>> = {}): postgres.Sql {
  const address = new URL(url)
  const folder = address.searchParams.get('host')
  address.searchParams.delete('host')
  return postgres(address.href, {
    onnotice: () => {},
    connect_timeout: 10,
    ...(folder === null ? {} : { host: folder }),
    ...options,
    connection: { application_name: 'restic-manager', ...options.connection },
  })
}

/** Opens the database with at most `max` pooled connections, each with limits on statements, locks and idle transactions. */
export function openDatabase(url: string, { max }: { max: number }): OpenDatabase {
  const pool = connect(url, { max, connection: limits })
  const sql = connect(url, { max: 2, connection: { ...limits, application_name: 'restic-manager plain' } })
  return {
    db: drizzle(pool, { schema }),
    sql,
    async close() {
      await Promise.all([pool.end({ timeout: 5 }), sql.end({ timeout: 5 })])
    },
  }
}
