// How an admin command gets at the database: through the running server's, or by starting it for the moment.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@restic-manager/runtime/log'
import type { Config } from './config.ts'
import { type ReadyDatabase, prepareDatabase } from './database.ts'
import { DataDirInUse, urlOfRunning } from './db/embedded.ts'
import { migrateDatabase } from './db/migrate.ts'

/** How long to wait for a server that is starting, or for another command. */
const patienceMs = 30_000

/** The database, migrated. `stop` leaves a running server's alone. */
export async function joinDatabase(config: Config, log: Log): Promise<ReadyDatabase> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    try {
      return await prepareDatabase(config, 'admin', log)
    } catch (error) {
      if (!(error instanceof DataDirInUse) || performance.now() > deadline) throw error
      if (error.owner?.role === 'server') {
        const url = await urlOfRunning(config.dataDir)
        if (url !== undefined) {
          // The server may be at it just now; both hold the same lock.
          await migrateDatabase(url)
          return { url, stop: async () => {} }
        }
      }
    }
    await sleep(200)
  }
}
