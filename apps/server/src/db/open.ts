// Connections to PostgreSQL: the guarded pool behind Drizzle, and a plain client for LISTEN.
import type { PgDatabase } from 'drizzle-orm/pg-core'
import { drizzle, type PostgresJsQueryResultHKT } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import { timing as standardTiming, type Timing } from '@restic-manager/contract/timing'
import { readDatabaseUrl } from './address.ts'
import { createGate, type GateLoad } from './gate.ts'
import { guardClient } from './guard.ts'
import * as tables from './schema.ts'
import * as alertTables from './schema-alerts.ts'
import * as credentialTables from './schema-credentials.ts'
import * as enrolmentTables from './schema-enrolments.ts'
import * as logTables from './schema-logs.ts'
import * as operatorTables from './schema-operators.ts'
import * as outcomeTables from './schema-outcomes.ts'
import * as serverTables from './schema-server.ts'
import * as sessionTables from './schema-sessions.ts'
import * as snapshotTables from './schema-snapshots.ts'

const schema = {
  ...tables,
  ...alertTables,
  ...credentialTables,
  ...enrolmentTables,
  ...logTables,
  ...operatorTables,
  ...outcomeTables,
  ...serverTables,
  ...sessionTables,
  ...snapshotTables,
}

/** The database, or a transaction in it: a verb cannot tell and need not. */
export type Db = PgDatabase<PostgresJsQueryResultHKT, typeof schema>

/** An open database. `sql` is a second client that Drizzle has not touched: it leads straight to PostgreSQL, past any pooler. */
export type OpenDatabase = { db: Db; sql: postgres.Sql; load(): GateLoad; close(): Promise<void> }

export type OpenOptions = {
  /** The most connections of the pool. */
  max: number
  /** The same database without a pooler in between. Being there says that `url` leads through one. */
  directUrl?: string | undefined
  timing?: Pick<Timing, 'databaseWait' | 'databaseAnswer'>
  /** Who may wait for a connection, at most. */
  mostWaiting?: number
  /** Hears the code of everything the database could not do for the moment. */
  onTrouble?: (code: string) => void
}

/** Connecting again is spread, and never waits longer than a second: a database that is back is soon in use. */
const backoffSeconds = (failures: number) => (0.5 + Math.random() / 2) * Math.min(3 ** failures / 100, 1)

/**
 * A postgres.js client for `url`. A unix socket is written as libpq writes it:
 * `postgres://user:password@localhost/name?host=/folder/of/the/socket`. Of several hosts the one that takes changes is used.
 */
export function connect(url: string, options: Options = {}): postgres.Sql {
  const address = readDatabaseUrl(url)
  if (address === undefined) throw new Error('This is not the address of a database.')
  const { url: first, hosts } = address
  const folder = first.searchParams.get('host')
  first.searchParams.delete('host')
  const replicated = hosts.length > 1
  if (replicated) first.searchParams.delete('target_session_attrs')
  const where = replicated
    ? {
        host: hosts.map(({ host }) => host),
        port: hosts.map(({ port }) => port),
        target_session_attrs: 'primary' as const,
      }
    : {}
  return postgres(first.href, {
    onnotice: () => {},
    connect_timeout: 10,
    backoff: backoffSeconds,
    ...(folder === null ? where : { host: folder }),
    ...options,
    connection: { application_name: 'restic-manager', ...options.connection },
  } as Options)
}

/** `answer_timeout`, in seconds, is ours: a connection that says nothing for so long to what it was asked is cut. The types leave out the other. */
type Options = postgres.Options<Record<string, never>> & { answer_timeout?: number; max_pipeline?: number }

/** What the server itself ends, before the client would give up on the connection. In milliseconds. */
export const sessionLimits = ({ databaseAnswer }: Pick<Timing, 'databaseAnswer'> = standardTiming) => ({
  statement_timeout: Math.round(databaseAnswer * 0.75),
  lock_timeout: Math.round(databaseAnswer * 0.5),
  idle_in_transaction_session_timeout: 30_000,
})

/** Opens the database. Nothing here waits without end: not for a connection, not for an answer, not for a lock. */
export function openDatabase(url: string, options: OpenOptions): OpenDatabase {
  const { max, directUrl, timing = standardTiming, mostWaiting = 10_000, onTrouble } = options
  const limits = sessionLimits(timing)
  const patience = {
    connect_timeout: timing.databaseWait / 1_000,
    answer_timeout: timing.databaseAnswer / 1_000,
    // The gate sees to it that there is a connection for everybody: nobody is to share one that may be dying.
    max_pipeline: 0,
  }
  const isPooled = directUrl !== undefined
  // A pooler in transaction mode keeps neither prepared statements nor what a session was told at its start.
  const pool = connect(url, { max, ...patience, ...(isPooled ? { prepare: false } : { connection: limits }) })
  const sql = connect(directUrl ?? url, {
    max: 2,
    ...patience,
    connection: { ...limits, application_name: 'restic-manager plain' },
  })
  const preamble = Object.entries(limits).map(([name, value]) => `set local ${name} = ${value}`)
  const gate = createGate({ most: max, mostWaiting, waitMs: timing.databaseWait })
  const guarded = guardClient(pool, {
    gate,
    preamble: isPooled ? preamble.join('; ') : undefined,
    onTrouble,
  })
  return {
    db: drizzle(guarded, { schema }),
    sql,
    load: gate.load,
    async close() {
      await Promise.all([pool.end({ timeout: 5 }), sql.end({ timeout: 5 })])
    },
  }
}
