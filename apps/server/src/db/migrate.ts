// Brings the database to this version's tables, one server at a time.
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { drizzle } from 'drizzle-orm/postgres-js'
import { migrate } from 'drizzle-orm/postgres-js/migrator'
import { connect } from './open.ts'
import { prepareQueueTables } from './queue-tables.ts'

/** Any fixed number: every server that migrates this database waits for the same one. */
export const migrationLock = 7_264_518_041

/** The folder of the generated migrations, seen from the sources and from the bundle. */
export function migrationsFolder(): string {
  const candidates = ['../../../../drizzle', '../../../drizzle', '../drizzle'].map(path =>
    fileURLToPath(new URL(path, import.meta.url)),
  )
  const found = candidates.find(folder => existsSync(`${folder}/meta/_journal.json`))
  if (found === undefined) throw new Error(`The migrations are missing. Looked in ${candidates.join(', ')}.`)
  return found
}

/** Applies what is missing. Safe to call twice, and from several servers at once: one does it, the others wait. */
export async function migrateDatabase(url: string): Promise<void> {
  const sql = connect(url, {
    max: 1,
    idle_timeout: 0,
    max_lifetime: null,
    connection: { application_name: 'restic-manager migrate' },
  })
  try {
    await sql`select pg_advisory_lock(${migrationLock})`
    const db = drizzle(sql)
    await migrate(db, { migrationsFolder: migrationsFolder() })
    await prepareQueueTables(db)
    await sql`select pg_advisory_unlock(${migrationLock})`
  } finally {
    await sql.end({ timeout: 5 })
  }
}
