// A server behind a real PgBouncer in transaction mode: what needs a session goes past it, everything else through it.
import { mkdtemp, rm } from 'node:fs/promises'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLog } from '@restic-manager/runtime/log'
import { type PgBouncer, startPgBouncer } from '@restic-manager/testkit/pgbouncer'
import { findTool } from '@restic-manager/testkit/restic'
import { until } from '@restic-manager/testkit/until'
import { readConfig } from '../config.ts'
import { prepareDatabase } from '../database.ts'
import { databaseUser, type OwnPostgres, ownPostgres } from '../testing-own-postgres.ts'
import { startServer } from '../testing.ts'
import { makeHost, sealOf } from '../testing-fleet.ts'
import { openDatabase, type OpenDatabase } from './open.ts'

const tool = await findTool('pgbouncer')
const but = 'missing' in tool ? ` (${tool.missing})` : ''

describe.skipIf('missing' in tool)(`through a pooler${but}`, () => {
  let own: OwnPostgres
  let pooler: PgBouncer
  let pooled: string
  let folder: string
  let open: OpenDatabase

  beforeAll(async () => {
    own = await ownPostgres()
    const { port, password } = own
    pooler = await startPgBouncer({
      path: 'path' in tool ? tool.path : '',
      port,
      user: databaseUser,
      password,
    })
    pooled = own.url.replace(`:${port}/`, `:${pooler.port}/`)
    folder = await mkdtemp('/tmp/rm-pooler-')
    open = openDatabase(own.url, { max: 3 })
  })
  afterAll(async () => {
    await open?.close()
    await pooler?.[Symbol.asyncDispose]()
    await own?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  })

  const prepare = (env: Record<string, string>) =>
    prepareDatabase(readConfig({ RM_DATA_DIR: folder, ...env }), 'server', createLog({ level: 'silent' }))

  test('a pooler that is not told of is noticed, and the sentence names the setting', async () => {
    await expect(prepare({ DATABASE_URL: pooled })).rejects.toThrow(
      'DATABASE_URL leads through a connection pooler. Set DATABASE_DIRECT_URL',
    )
    expect(() => readConfig({ DATABASE_DIRECT_URL: own.url })).toThrow('DATABASE_URL is not')
  })

  test('two addresses of two databases are refused', async () => {
    const other = own.url.replace(/\/postgres$/, '/template1')
    await expect(prepare({ DATABASE_URL: pooled, DATABASE_DIRECT_URL: other })).rejects.toThrow(
      'lead to different databases',
    )
    const { url, directUrl } = await prepare({ DATABASE_URL: pooled, DATABASE_DIRECT_URL: own.url })
    expect([url, directUrl]).toEqual([pooled, own.url])
  })

  test('the limits of a session hold within each transaction, and stay behind in none', async () => {
    const through = openDatabase(pooled, { max: 8, directUrl: own.url })
    const limit = sql`select current_setting('statement_timeout') as statement, current_setting('lock_timeout') as lock`
    const within = await Promise.all(
      Array.from({ length: 16 }, () => through.db.transaction(tx => tx.execute(limit))),
    )
    for (const [row] of within) expect(row).toEqual({ statement: '15s', lock: '10s' })
    const outside = await Promise.all(Array.from({ length: 16 }, () => through.db.execute(limit)))
    for (const [row] of outside) expect(row).toEqual({ statement: '0', lock: '0' })
    await through.close()
  })

  test('a server does its work: more callers than the pooler has connections, and what one changes another hears', async () => {
    await using server = await startServer({
      beside: { databaseUrl: own.url, db: open.db, secretKeyFile: `${folder}/secret.key` },
      env: { DATABASE_URL: pooled, DATABASE_DIRECT_URL: own.url },
    })
    const host = await makeHost(open.db, sealOf(server))
    const heard: string[] = []
    const listening = server.api.live.changes.subscribe(undefined, {
      onData: ({ topic, id }) => heard.push(`${topic} ${id}`),
    })
    await until(() => heard.includes('everything '))
    const rename = (n: number) => server.api.hosts.update.mutate({ hostId: host.hostId, name: `name ${n}` })
    await Promise.all(Array.from({ length: 40 }, (_, n) => rename(n)))
    await until(() => heard.includes(`host ${host.hostId}`))
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200)
    listening.unsubscribe()
    const poolers = await open.sql`select count(*)::int as n from pg_stat_activity
      where application_name = 'restic-manager' and usename = ${databaseUser} and datname = current_database()`
    // Ours, which is the test's own way in, and at most the four of the pooler.
    expect(poolers[0]?.['n']).toBeLessThanOrEqual(3 + 4)
  })
})
