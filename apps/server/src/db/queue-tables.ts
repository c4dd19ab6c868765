// The tables of the chore queue: a schema of their own, kept by the queue library itself.
import { sql } from 'drizzle-orm'
import type { Db as QueueDatabase } from 'pg-boss'
import library from 'pg-boss/package.json' with { type: 'json' }
import type { Db } from './open.ts'

/** The queue needs no more of a database, and no schema of ours. */
type Statements = Pick<Db, 'execute'> & {
  transaction<T>(run: (tx: Pick<Db, 'execute'>) => Promise<T>): Promise<T>
}

/** How the queue library reaches our database: over our own connections, so that it needs no pool and no driver beside them. */
export async function queueDatabase(db: Statements): Promise<QueueDatabase> {
  const { fromDrizzle } = await import('pg-boss')
  return {
    async executeSql(text, values = []) {
      // On a pool our driver refuses a script that brings its own transaction, so it gets one of ours.
      const script = /^\s*BEGIN;([\s\S]*)COMMIT;\s*$/.exec(text)?.[1]
      if (script !== undefined) return db.transaction(tx => fromDrizzle(tx, sql).executeSql(script))
      return fromDrizzle(db, sql).executeSql(text, values.map(asParameter))
    },
  }
}

/** Drizzle's client hands parameters on as they are, so what is meant as JSON has to be written as JSON. */
function asParameter(value: unknown): unknown {
  if (value === undefined) return null
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? JSON.stringify(value) : value
}

/** Brings them to the version of the library. Call it where migrations are applied, one server at a time. Safe to call twice. */
export async function prepareQueueTables(db: Statements): Promise<void> {
  if ((await versionOf(db)) >= library.pgboss.schema) return
  const { PgBoss } = await import('pg-boss')
  const boss = new PgBoss({
    db: await queueDatabase(db),
    schedule: false,
    supervise: false,
    registerInstance: false,
  })
  const { promise: failed, reject } = Promise.withResolvers<never>()
  boss.on('error', reject)
  try {
    await Promise.race([boss.start(), failed])
  } finally {
    await boss.stop({ graceful: false })
  }
}

/** 0: there are none yet. */
async function versionOf(db: Statements): Promise<number> {
  const [there] = await db.execute(sql`select to_regclass('pgboss.version') is not null as there`)
  if (there?.['there'] !== true) return 0
  const [row] = await db.execute(sql`select version from pgboss.version`)
  return Number(row?.['version'] ?? 0)
}
