// One PostgreSQL for a whole test run, with a migrated template that every test file clones.
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { startEmbedded, stopAbandoned } from './db/embedded.ts'
import { migrateDatabase } from './db/migrate.ts'
import { connect } from './db/open.ts'

/** What a test file needs to make a database of its own: the way in as the owner, and the name to clone. */
export type TestPostgres = { url: string; template: string }

const prefix = '/tmp/rm-test-pg-'

/** Stops and removes what runs that were killed have left behind. A run that has only begun has no owner's card yet. */
async function sweep() {
  const names = (await readdir(dirname(prefix))).filter(name => name.startsWith(basename(prefix)))
  for (const name of names) {
    const folder = join(dirname(prefix), name)
    if (!existsSync(join(folder, 'owner.json'))) continue
    if (await stopAbandoned(folder).catch(() => false)) await rm(folder, { recursive: true, force: true })
  }
}

/** Starts it in a temporary folder, without care for the disk, and migrates the template. */
export async function startTestPostgres(): Promise<TestPostgres & { stop(): Promise<void> }> {
  await sweep()
  const folder = await mkdtemp(prefix)
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
      await rm(folder, { recursive: true, force: true })
    },
  }
}
