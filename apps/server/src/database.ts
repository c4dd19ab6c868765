// Gets the database ready for a server: DATABASE_URL, or the embedded one; migrated either way.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@restic-manager/runtime/log'
import type { Config } from './config.ts'
import { startEmbedded } from './db/embedded.ts'
import { migrateDatabase } from './db/migrate.ts'
import { connect } from './db/open.ts'

export type ReadyDatabase = { url: string; stop(): Promise<void> }

/** How long an external database may take to come up beside its server. */
const patienceMs = 60_000
/** How long an admin command may hold the embedded one. */
const adminMs = 15_000

/** Starts or finds the database and brings its tables up to date. Throws one sentence when that cannot be. */
export async function prepareDatabase(
  config: Config,
  role: 'server' | 'admin',
  log: Log,
): Promise<ReadyDatabase> {
  if (config.databaseUrl !== undefined) {
    await waitForDatabase(config.databaseUrl, log)
    await migrateDatabase(config.databaseUrl)
    return { url: config.databaseUrl, stop: async () => {} }
  }
  const waitMs = role === 'server' ? adminMs : 0
  const embedded = await startEmbedded({ dataDir: config.dataDir, role, log, waitMs })
  try {
    await migrateDatabase(embedded.url)
  } catch (error) {
    await embedded.stop()
    throw error
  }
  return embedded
}

async function waitForDatabase(url: string, log: Log) {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const sql = connect(url, { max: 1, connect_timeout: 5 })
    try {
      await sql`select 1`
      return
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
      const mayCome =
        /^(?:ECONNREFUSED|ENOENT|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|ECONNRESET|CONNECT_TIMEOUT|57P03)$/.test(code)
      if (!mayCome || performance.now() > deadline)
        throw new Error(
          `The database of DATABASE_URL does not let the server in (${code}). Check the address, the user and the password.`,
          {
            cause: error,
          },
        )
      log.warn({ code }, 'the database does not answer yet; trying again')
    } finally {
      await sql.end({ timeout: 1 })
    }
    await sleep(1_000)
  }
}
