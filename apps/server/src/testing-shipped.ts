// For benchmarks only: the database as it is shipped, with one host in it.
import { randomBytes } from 'node:crypto'
import { startEmbedded } from './db/embedded.ts'
import { migrateDatabase } from './db/migrate.ts'
import { openDatabase } from './db/open.ts'
import { makeSeal } from './db/seal.ts'
import { turnLogDays } from './fleet/log-days.ts'
import { makeHost } from './testing-fleet.ts'

/** Starts the database of `dataDir` and makes the host, its repository and the days of the next week's logs. Disposing stops it. */
export async function openShipped(dataDir: string) {
  await using undo = new AsyncDisposableStack()
  const database = await startEmbedded({ dataDir, role: 'server' })
  undo.defer(() => database.stop())
  await migrateDatabase(database.url)
  const { db, close } = openDatabase(database.url, { max: 10 })
  undo.defer(close)
  const host = await makeHost(db, makeSeal(randomBytes(32)))
  await turnLogDays(db)
  const owned = undo.move()
  return { url: database.url, db, host, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
