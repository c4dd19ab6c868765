// What our patch of postgres.js promises: a backend that dies inside a transaction costs that transaction and nothing else.
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { connect as connectTo, createServer, type AddressInfo } from 'node:net'
import postgres from 'postgres'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ProxyTarget, startTcpProxy } from '@restic-manager/testkit/tcp-proxy'
import { testDatabase, type TestDatabase } from '../testing-database.ts'

const builds = [
  ['the ESM build', postgres],
  ['the CommonJS build', createRequire(import.meta.url)('postgres') as typeof postgres],
] as const

/** How many queries one connection takes before the pool calls it full. The types leave it out. */
const edge = 4
const pipelineEdge: object = { max_pipeline: edge }

/** Whichever the client notices first: the close, the reset of its own write, or the server's farewell. */
const connectionLost = { code: expect.stringMatching(/^(CONNECTION_CLOSED|ECONNRESET|EPIPE|57P01)$/) }

let database: TestDatabase
let way: postgres.Options<Record<string, never>>
const uncaught: unknown[] = []
const remember = (error: unknown) => void uncaught.push(error)

beforeAll(async () => {
  database = await testDatabase()
  const address = new URL(database.url)
  way = {
    host: address.searchParams.get('host') ?? address.hostname,
    port: Number(address.port || 5432),
    username: address.username,
    password: address.password,
    database: address.pathname.slice(1),
    onnotice: () => {},
  }
}, 60_000)

afterAll(() => database.close())

describe.each(builds)('a backend that dies, with %s', (_name, connect) => {
  let admin: postgres.Sql
  let pool: postgres.Sql
  let closed: Promise<void>

  beforeEach(async () => {
    uncaught.length = 0
    process.on('uncaughtException', remember)
    process.on('unhandledRejection', remember)
    admin = connect({ ...way, max: 1 })
    await admin`drop table if exists rows`
    await admin`create table rows (note text)`
    const { promise, resolve } = Promise.withResolvers<void>()
    closed = promise
    pool = connect({ ...way, max: 1, ...pipelineEdge, onclose: () => resolve(), connect_timeout: 5 })
    await pool`select 1`
  })

  afterEach(async () => {
    await Promise.all([pool.end({ timeout: 1 }), admin.end({ timeout: 1 })])
    process.off('uncaughtException', remember)
    process.off('unhandledRejection', remember)
  })

  /** The same three facts after every accident. */
  async function expectNothingElseHappened() {
    expect(await pool`select 1 as one`).toEqual([{ one: 1 }])
    expect(await pool.begin(tx => tx`select 2 as two`)).toEqual([{ two: 2 }])
    expect(await admin`select note from rows`).toEqual([])
    expect(uncaught).toEqual([])
  }

  const kill = (pid: number) => admin`select pg_terminate_backend(${pid})`

  test('between two statements rejects the transaction (row 15)', async () => {
    const transaction = pool.begin(async tx => {
      await tx`insert into rows values ('before')`
      await kill(await pidOf(tx))
      await closed
      await tx`insert into rows values ('after')`
    })
    await expect(transaction).rejects.toMatchObject(connectionLost)
    await expectNothingElseHappened()
  })

  test('as the function ends rejects the transaction', async () => {
    const transaction = pool.begin(async tx => {
      await tx`insert into rows values ('before')`
      await kill(await pidOf(tx))
    })
    await expect(transaction).rejects.toMatchObject(connectionLost)
    await expectNothingElseHappened()
  })

  test('with a query in flight rejects that query and the transaction', async () => {
    const transaction = pool.begin(async tx => {
      await tx`insert into rows values ('before')`
      const pid = await pidOf(tx)
      const sleeping = tx`select pg_sleep(60)`.execute()
      await untilActive(pid)
      await kill(pid)
      await expect(sleeping).rejects.toMatchObject(connectionLost)
      throw new Error('the function saw it too')
    })
    await expect(transaction).rejects.toThrow(/the function saw it too|CONNECTION_CLOSED|ECONNRESET/)
    await expectNothingElseHappened()
  })

  test('with a pipeline in flight rejects every query of it', async () => {
    const outcomes = Promise.withResolvers<PromiseSettledResult<unknown>[]>()
    const transaction = pool.begin(async tx => {
      const pid = await pidOf(tx)
      const pipeline = Array.from({ length: 12 }, () => tx`select pg_sleep(60)`.execute())
      await untilActive(pid)
      await kill(pid)
      outcomes.resolve(await Promise.allSettled(pipeline))
    })
    await expect(transaction).rejects.toMatchObject(connectionLost)
    expect((await outcomes.promise).map(outcome => outcome.status)).toEqual(
      Array.from({ length: 12 }, () => 'rejected'),
    )
    await expectNothingElseHappened()
  })

  test('lets no statement of the dead transaction run on the next connection', async () => {
    const reconnected = Promise.withResolvers<void>()
    let insert: Promise<unknown> | undefined
    const transaction = pool.begin(async tx => {
      const pid = await pidOf(tx)
      // Waits for the only connection, so the pool opens it anew as soon as the backend is gone.
      const waiting = pool`select 1`.execute()
      await kill(pid)
      await waiting
      insert = tx`insert into rows values ('escaped')`
      await insert.catch(() => {})
      reconnected.resolve()
    })
    await expect(transaction).rejects.toMatchObject(connectionLost)
    await reconnected.promise
    await expect(insert).rejects.toMatchObject(connectionLost)
    await expectNothingElseHappened()
  })

  test('lets no statement of the dead transaction slip into the next transaction', async () => {
    const { promise: mayInsert, resolve: insertNow } = Promise.withResolvers<void>()
    const { promise: inserted, resolve: sayInserted } = Promise.withResolvers<unknown>()
    const dead = pool.begin(async tx => {
      await kill(await pidOf(tx))
      await mayInsert
      sayInserted(await tx`insert into rows values ('slipped in')`.catch((error: unknown) => error))
    })
    await expect(dead).rejects.toMatchObject(connectionLost)
    const next = await pool.begin(async tx => {
      insertNow()
      await inserted
      return tx`select count(*)::int as count from rows`
    })
    expect(next).toEqual([{ count: 0 }])
    expect(await inserted).toMatchObject(connectionLost)
    await expectNothingElseHappened()
  })

  test('a transaction that begins at the edge of the pipeline still has its connection to itself', async () => {
    const pipeline = Array.from({ length: edge }, () => pool`select pg_sleep(0.01)`.execute())
    const transaction = pool.begin(async tx => {
      await tx`insert into rows values ('inside')`
      throw new Error('rolled back')
    })
    const outside = pool`select 1`.execute()
    await expect(transaction).rejects.toThrow('rolled back')
    await Promise.all([...pipeline, outside])
    await expectNothingElseHappened()
  })

  test('just as it was reached, before it named its types, ends nothing but what was asked of it', async () => {
    await using relay = await startRelay(way)
    const fresh = connect({ ...way, host: '127.0.0.1', port: relay.port, max: 1, connect_timeout: 5 })
    await fresh`select 1 as one`.catch((error: unknown) => expect(error).toMatchObject(connectionLost))
    expect(relay.cuts()).toBe(1)
    expect(await fresh`select array['a', 'b'] as list`).toEqual([{ list: ['a', 'b'] }])
    await fresh.end({ timeout: 1 })
    await expectNothingElseHappened()
  })

  test('that says nothing to what it was asked is given up, and a new connection is made', async () => {
    await using proxy = await startTcpProxy(proxyTarget(way))
    const impatient: object = { answer_timeout: 0.3, max_pipeline: 0 }
    const client = connect({
      ...way,
      host: '127.0.0.1',
      port: proxy.port,
      max: 1,
      backoff: () => 0,
      ...impatient,
    })
    await client`select 1`
    await proxy.set({ delayMs: Infinity })
    const silence = await client`select 2`.catch((error: unknown) => error)
    expect(silence).toMatchObject({ code: 'ANSWER_TIMEOUT' })
    await proxy.set('pass')
    expect(await client`select 3 as three`).toEqual([{ three: 3 }])
    // Whoever is busy but speaks, and whoever was asked nothing, is left alone.
    const pid = await pidOf(client)
    expect(await client`select pg_sleep(0.1), repeat('x', 10000) from generate_series(1, 5)`).toHaveLength(5)
    await admin`select pg_sleep(0.5)`
    expect(await pidOf(client)).toBe(pid)
    await client.end({ timeout: 1 })
    await expectNothingElseHappened()
  })

  async function untilActive(pid: number) {
    for (;;) {
      const [row] =
        await admin`select 1 from pg_stat_activity where pid = ${pid} and state = 'active' and wait_event = 'PgSleep'`
      if (row) return
    }
  }
})

async function pidOf(tx: postgres.ISql) {
  const [row] = await tx<{ pid: number }[]>`select pg_backend_pid() as pid`
  return row?.pid ?? 0
}

describe.each(builds)('several hosts, with %s', (_name, connect) => {
  const hosts = async (ports: number[], options: object = {}) => {
    const client = connect({
      ...way,
      host: ports.map(() => '127.0.0.1') as never,
      port: ports as never,
      max: 2,
      backoff: () => 0,
      ...options,
    })
    const answer = await client`select 1 as one`.catch((error: { code: string }) => error.code)
    await client.end({ timeout: 1 })
    return answer
  }

  test('are tried in turn: one that refuses, one that says nothing, one that answers', async () => {
    await using refusing = await startTcpProxy(proxyTarget(way))
    await using silent = await startTcpProxy(proxyTarget(way))
    await using good = await startTcpProxy(proxyTarget(way))
    await refusing.set('refuse')
    await silent.set('blackhole')
    const ports = [refusing.port, silent.port, good.port]
    expect(await hosts(ports, { connect_timeout: 0.3 })).toEqual([{ one: 1 }])
  })

  test('are each tried once: when all refuse, whoever asked is told', async () => {
    await using one = await startTcpProxy(proxyTarget(way))
    await using two = await startTcpProxy(proxyTarget(way))
    await Promise.all([one.set('refuse'), two.set('refuse')])
    expect(await hosts([one.port, two.port])).toBe('ECONNREFUSED')
  })
})

const proxyTarget = ({ host, port }: typeof way): ProxyTarget =>
  String(host).startsWith('/')
    ? { path: `${String(host)}/.s.PGSQL.${String(port)}` }
    : { host: String(host), port: Number(port) }

/** A way to the database that resets the first connection when it asks for the types of arrays. */
async function startRelay({ host, port }: postgres.Options<Record<string, never>>) {
  const far = String(host)
  let cuts = 0
  const server = createServer(client => {
    const database = far.startsWith('/')
      ? connectTo(`${far}/.s.PGSQL.${String(port)}`)
      : connectTo(Number(port), far)
    for (const socket of [client, database]) socket.on('error', () => {})
    client.on('data', (bytes: Buffer) => {
      if (cuts > 0 || !bytes.includes('typcategory')) return database.write(bytes)
      cuts += 1
      database.destroy()
      return client.resetAndDestroy()
    })
    database.pipe(client)
    client.on('close', () => database.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    cuts: () => cuts,
    [Symbol.asyncDispose]: async () => void server.close(),
  }
}
