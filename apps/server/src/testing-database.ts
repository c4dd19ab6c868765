// For tests only: a migrated database of one's own, cloned in a few milliseconds.
import { randomBytes } from 'node:crypto'
import { sql } from 'drizzle-orm'
import type postgres from 'postgres'
import { connect, openDatabase, type Db } from './db/open.ts'
import { makeSeal, type Seal } from './db/seal.ts'
import { startTestPostgres, type TestPostgres } from './testing-postgres.ts'

export type TestDatabase = AsyncDisposable & {
  url: string
  db: Db
  /** The client that Drizzle has not touched. */
  sql: postgres.Sql
  seal: Seal
  /** Another one, in which everything is as it is here now. */
  twin(): Promise<TestDatabase>
  close(): Promise<void>
}

/** A migrated, empty database, cloned from the template of this run. Closing drops it. */
export const testDatabase = (): Promise<TestDatabase> => cloneOf(undefined)

async function cloneOf(original: string | undefined): Promise<TestDatabase> {
  const server = await borrowPostgres()
  const name = `t_${randomBytes(8).toString('hex')}`
  const admin = connect(server.url, { max: 1 })
  // Nobody may be connected to what is cloned: our own clients come back when they are asked the next time.
  if (original !== undefined)
    await admin`select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = ${original}`
  await admin`create database ${admin(name)} template ${admin(original ?? server.template)}`
  await admin.end()
  const url = new URL(server.url)
  url.pathname = `/${name}`
  const open = openDatabase(url.href, { max: 10 })
  const close = async () => {
    await open.close()
    const last = connect(server.url, { max: 1 })
    await last`drop database if exists ${last(name)} with (force)`
    await last.end()
    await server.giveBack()
  }
  return {
    url: url.href,
    db: open.db,
    sql: open.sql,
    seal: makeSeal(randomBytes(32)),
    twin: () => cloneOf(name),
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Until somebody in this database waits for a lock that somebody else holds. */
export async function untilOneWaits(db: Db): Promise<void> {
  for (;;) {
    const waiting = await db.execute(sql`select 1 from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`)
    if (waiting.length > 0) return
  }
}

type Borrowed = TestPostgres & { giveBack(): Promise<void> }
let own: { starting: ReturnType<typeof startTestPostgres>; users: number } | undefined

/** The run's PostgreSQL when vitest has started it, else one for as long as somebody here uses it. */
async function borrowPostgres(): Promise<Borrowed> {
  const provided = process.env['VITEST'] ? (await import('vitest')).inject('postgres') : undefined
  if (provided !== undefined) return { ...provided, giveBack: async () => {} }
  own ??= { starting: startTestPostgres(), users: 0 }
  own.users += 1
  const mine = own
  const started = await mine.starting
  return {
    ...started,
    async giveBack() {
      mine.users -= 1
      if (mine.users > 0) return
      if (own === mine) own = undefined
      await started.stop()
    },
  }
}
