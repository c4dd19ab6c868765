// One PostgreSQL for a whole test run, with a migrated template that every test file clones.
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startEmbedded } from './db/embedded.ts'
import { migrateDatabase } from './db/migrate.ts'
import { connect } from './db/open.ts'

/** What a test file needs to make a database of its own: the way in as the owner, and the name to clone. */
export type TestPostgres = { url: string; template: string }

/** Starts it in a temporary folder, without care for the disk, and migrates the template. */
export async function startTestPostgres(): Promise<TestPostgres & { stop(): Promise<void> }> {
  const folder = await mkdtemp('/tmp/rm-test-pg-')
  // The database's user has to pass through when the tests run as root.
  await chmod(folder, 0o711)
  const database = await startEmbedded({
    dataDir: folder,
    role: 'server',
    settings: {
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      max_connections: '300',
      autovacuum: 'off',
    },
  })
  const template = 'rm_template'
  const sql = connect(database.url, { max: 1 })
  await sql`create database ${sql(template)}`
  await sql.end()
  const url = new URL(database.url)
  url.pathname = `/${template}`
  await migrateDatabase(url.href)
  return {
    url: database.url,
    template,
    async stop() {
      await database.stop()
      await rm(join(folder), { recursive: true, force: true })
    },
  }
}
