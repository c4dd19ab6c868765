// How an admin command gets at the database: through the running server's, or by starting it for the moment.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@restic-manager/runtime/log'
import type { Config } from './config.ts'
import { type ReadyDatabase, prepareDatabase } from './database.ts'
import { DataDirInUse, urlOfRunning } from './db/embedded.ts'
import { migrateDatabase } from './db/migrate.ts'
import { type Db, openDatabase } from './db/open.ts'

/** How long to wait for a server that is starting, or for another command. */
const patienceMs = 30_000

type Reach = {
  /** What is done to the tables first: nothing, for a command that is about the database as it is. */
  migrate?: (url: string) => Promise<void>
  /** Throws a sentence when a server runs on the data directory. */
  alone?: boolean
}

/** Runs `work` on the migrated database and answers what it answers. */
export async function useDatabase<T>(config: Config, log: Log, work: (db: Db) => Promise<T>): Promise<T> {
  return reachDatabase(config, log, { migrate: migrateDatabase }, async url => {
    const { db, close } = openDatabase(url, { max: 2 })
    try {
      return await work(db)
    } finally {
      await close()
    }
  })
}

/** Runs `work` on the address of the database. What was started for it is stopped again; a running server's is left alone. */
export async function reachDatabase<T>(
  config: Config,
  log: Log,
  reach: Reach,
  work: (url: string) => Promise<T>,
): Promise<T> {
  const database = await joinDatabase(config, log, reach)
  try {
    return await work(database.url)
  } finally {
    await database.stop()
  }
}

async function joinDatabase(
  config: Config,
  log: Log,
  { migrate = async () => {}, alone = false }: Reach,
): Promise<ReadyDatabase> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    try {
      return await prepareDatabase(config, 'admin', log, migrate)
    } catch (error) {
      if (!(error instanceof DataDirInUse) || performance.now() > deadline) throw error
      if (error.owner?.role === 'server') {
        if (alone) throw error
        const url = await urlOfRunning(config.dataDir)
        if (url !== undefined) {
          // The server may be at it just now; both hold the same lock.
          await migrate(url)
          return { url, stop: async () => {} }
        }
      }
    }
    await sleep(200)
  }
}
