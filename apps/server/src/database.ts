// Gets the database ready for a server: DATABASE_URL, or the embedded one; migrated either way.
import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '@restic-manager/runtime/log'
import type { Config } from './config.ts'
import { startEmbedded } from './db/embedded.ts'
import { migrateDatabase } from './db/migrate.ts'
import { connect, sessionLimits } from './db/open.ts'
import { codesIn } from './db/sql-state.ts'

/** `directUrl` is there when `url` leads through a pooler. */
export type ReadyDatabase = { url: string; directUrl?: string; stop(): Promise<void> }

/** How long an external database may take to come up: beside a server it may be starting, a person at a command waits. */
const patienceMs = { server: 60_000, admin: 10_000 }
/** How long an admin command may hold the embedded one. */
const adminMs = 15_000

const mayCome = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ECONNRESET',
  'CONNECT_TIMEOUT',
  'ANSWER_TIMEOUT',
  'CONNECTION_DESTROYED', // the only host that is up takes no changes yet
  '57P03',
])
/** What PgBouncer says to settings of a session. */
const protocolViolation = '08P01'

/**
 * Starts or finds the database and brings its tables up to date, unless `migrate` does something else. Throws one sentence when
 * that cannot be.
 */
export async function prepareDatabase(
  config: Config,
  role: 'server' | 'admin',
  log: Log,
  migrate: (url: string) => Promise<void> = migrateDatabase,
): Promise<ReadyDatabase> {
  const { databaseUrl, databaseDirectUrl } = config
  if (databaseUrl !== undefined)
    return prepareExternal(databaseUrl, databaseDirectUrl, { role, log, migrate })
  const waitMs = role === 'server' ? adminMs : 0
  const embedded = await startEmbedded({ dataDir: config.dataDir, role, log, waitMs })
  try {
    await migrate(embedded.url)
  } catch (error) {
    await embedded.stop()
    throw error
  }
  return embedded
}

async function prepareExternal(
  url: string,
  directUrl: string | undefined,
  { role, log, migrate }: { role: 'server' | 'admin'; log: Log; migrate: (url: string) => Promise<void> },
): Promise<ReadyDatabase> {
  const stop = async () => {}
  if (directUrl === undefined) {
    await waitForDatabase('DATABASE_URL', url, { role, log })
    await migrate(url)
    return { url, stop }
  }
  await waitForDatabase('DATABASE_DIRECT_URL', directUrl, { role, log })
  await migrate(directUrl)
  // One command at a time needs no pooler.
  if (role === 'admin') return { url: directUrl, stop }
  await waitForDatabase('DATABASE_URL', url, { role, log, isPooled: true })
  await checkSame(url, directUrl)
  return { url, directUrl, stop }
}

async function waitForDatabase(
  name: string,
  url: string,
  { role, log, isPooled = false }: { role: 'server' | 'admin'; log: Log; isPooled?: boolean },
) {
  const deadline = performance.now() + patienceMs[role]
  for (;;) {
    const sql = connect(url, {
      max: 1,
      connect_timeout: 5,
      answer_timeout: 5,
      ...(isPooled ? { prepare: false } : { connection: sessionLimits() }),
    })
    try {
      await sql`select 1`
      return
    } catch (error) {
      const [code = 'unknown'] = codesIn(error)
      if (code === protocolViolation && !isPooled)
        throw new Error(
          `${name} leads through a connection pooler. Set DATABASE_DIRECT_URL to an address of the same database without it, and DATABASE_URL to the pooler.`,
          { cause: error },
        )
      if (!mayCome.has(code) || performance.now() > deadline)
        throw new Error(
          `The database of ${name} does not let the server in (${code}). Check the address, the user and the password.`,
          { cause: error },
        )
      log.warn({ code }, 'the database does not answer yet; trying again')
    } finally {
      await sql.end({ timeout: 1 })
    }
    await sleep(1_000)
  }
}

/** A lock of one transaction is seen by everybody in the same database and by nobody else. */
async function checkSame(url: string, directUrl: string) {
  const key = randomInt(2 ** 47)
  const [pooled, direct] = [connect(url, { max: 1, prepare: false }), connect(directUrl, { max: 1 })]
  try {
    const isFree = await direct.begin(async tx => {
      await tx`select pg_advisory_xact_lock(${key})`
      const [row] = await pooled`select pg_try_advisory_xact_lock(${key}) as free`
      return row?.['free'] === true
    })
    if (isFree)
      throw new Error('DATABASE_URL and DATABASE_DIRECT_URL lead to different databases. Make them the same.')
  } finally {
    await Promise.all([pooled.end({ timeout: 1 }), direct.end({ timeout: 1 })])
  }
}
