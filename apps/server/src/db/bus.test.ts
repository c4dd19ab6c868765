// What the bus promises: nobody who waits for a change sleeps through it.
import { randomBytes } from 'node:crypto'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { until } from '@restic-manager/testkit/until'
import { testDatabase, type TestDatabase } from '../testing-database.ts'
import {
  type Bus,
  notify,
  notifyAll,
  readNotification,
  startBus,
  tellingAll,
  type Wakeup,
  type Watch,
} from './bus.ts'

let database: TestDatabase
let bus: Bus

beforeAll(async () => {
  database = await testDatabase()
  bus = await startBus(database.sql, { pollMs: 3_600_000 })
})

afterAll(async () => {
  await bus.close()
  await database.close()
})

/** A reader that keeps all it is told, and can be held up. */
function read(watch: Watch[]) {
  const stop = new AbortController()
  const wakeups = bus.wakeups(watch, stop.signal)
  const seen: Wakeup[] = []
  let gate = Promise.resolve()
  const done = (async () => {
    for await (const wakeup of wakeups) {
      seen.push(wakeup)
      await gate
    }
  })()
  return {
    seen,
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>()
      gate = promise
      return resolve
    },
    async stop() {
      stop.abort()
      await done
    },
  }
}

test('a reader is registered at once, told to read everything, and gone when its signal aborts', async () => {
  const stop = new AbortController()
  const before = bus.listeners()
  const wakeups = bus.wakeups([{ topic: 'job' }], stop.signal)
  expect(bus.listeners()).toBe(before + 1)
  const seen: Wakeup[] = []
  for await (const wakeup of wakeups) {
    seen.push(wakeup)
    stop.abort()
  }
  expect(seen).toEqual([{ everything: true, changes: [] }])
  expect(bus.listeners()).toBe(before)
})

test('a change made between registering and the first read is not lost', async () => {
  const stop = new AbortController()
  const id = newId()
  const wakeups = bus.wakeups([{ topic: 'orders', id }], stop.signal)[Symbol.asyncIterator]()
  await notify(database.db, 'orders', id)
  expect((await wakeups.next()).value).toMatchObject({ everything: true })
  await notify(database.db, 'orders', id)
  expect((await wakeups.next()).value).toEqual({ everything: false, changes: [{ topic: 'orders', id }] })
  stop.abort()
})

test('a transaction that rolls back tells nobody', async () => {
  const reader = read([{ topic: 'host' }])
  const [lost, kept] = [newId(), newId()]
  await until(() => reader.seen.length === 1)
  const failing = database.db.transaction(async tx => {
    await notify(tx, 'host', lost)
    throw new Error('no')
  })
  await expect(failing).rejects.toThrow('no')
  await notify(database.db, 'host', kept)
  await until(() => reader.seen.length === 2)
  expect(reader.seen[1]?.changes).toEqual([{ topic: 'host', id: kept }])
  await reader.stop()
})

test('a whole fleet is told of at once, and an empty one is nothing to tell', async () => {
  const ids = Array.from({ length: 20 }, () => newId())
  const reader = read([{ topic: 'host' }])
  await until(() => reader.seen.length === 1)
  await database.db.transaction(async tx => {
    await notifyAll(tx, { host: [], orders: [] })
    await notifyAll(tx, { host: [...ids, ...ids], orders: ids })
  })
  const heard = () => reader.seen.slice(1).flatMap(({ changes }) => changes)
  await until(() => heard().length === ids.length)
  expect(heard()).toEqual(ids.map(id => ({ topic: 'host', id })))
  await reader.stop()
})

test('more hosts than one notification holds are told of, each to its own reader and once, by the statement that changes them', async () => {
  const ids = Array.from({ length: 1_001 }, () => newId()).toSorted()
  const payloads = new Set<string>()
  const listening = await database.sql.listen('restic_manager', payload => void payloads.add(payload))
  const ends = [ids[0] ?? '', ids.at(-1) ?? '']
  const watched = ends.map(id => read([{ topic: 'orders', id }]))
  const stranger = read([{ topic: 'orders', id: newId() }])
  await until(() => [...watched, stranger].every(({ seen }) => seen.length === 1))
  await database.db.execute(sql`
    with changed as (select value::uuid as id from jsonb_array_elements_text(${JSON.stringify([...ids, ...ids, null])}::jsonb))
    select ${tellingAll('orders', sql`select id from changed`)}, ${tellingAll('host', sql`select id from changed`)}`)
  await database.db.transaction(tx => notifyAll(tx, { job: ids }))
  await until(() => payloads.size === 3 * 6)
  await until(() => watched.every(({ seen }) => seen.length === 2))
  const heard = [...payloads].flatMap(readNotification)
  for (const topic of ['orders', 'host', 'job'])
    expect(
      heard
        .filter(change => change.topic === topic)
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(ids)
  expect(watched.map(({ seen }) => seen[1]?.changes)).toEqual(ends.map(id => [{ topic: 'orders', id }]))
  expect(stranger.seen).toHaveLength(1)
  await listening.unlisten()
  await Promise.all([...watched, stranger].map(reader => reader.stop()))
})

test('a statement that changes nothing tells nobody', async () => {
  const payloads: string[] = []
  const listening = await database.sql.listen('restic_manager', payload => void payloads.push(payload))
  const nothing = sql`select null::uuid as id where random() < 0`
  await database.db.execute(sql`select ${tellingAll('orders', nothing)}`)
  await notify(database.db, 'orders', 'last')
  await until(() => payloads.length > 0)
  expect(payloads).toEqual(['orders:last'])
  await listening.unlisten()
})

test('a reader hears only what it watches', async () => {
  const [mine, other] = [newId(), newId()]
  const reader = read([
    { topic: 'job', id: mine },
    { topic: 'log', id: mine },
  ])
  await until(() => reader.seen.length === 1)
  await notify(database.db, 'job', other)
  await notify(database.db, 'progress', mine)
  await notify(database.db, 'log', mine)
  await until(() => reader.seen.length === 2)
  expect(reader.seen[1]?.changes).toEqual([{ topic: 'log', id: mine }])
  await reader.stop()
})

test('changes for a busy reader come together, each once', async () => {
  const reader = read([{ topic: 'job' }])
  await until(() => reader.seen.length === 1)
  const release = reader.hold()
  const ids = [newId(), newId(), newId()]
  await notify(database.db, 'job', ids[0] ?? '')
  await until(() => reader.seen.length === 2)
  const last = newId()
  const marker = read([{ topic: 'job', id: last }])
  await until(() => marker.seen.length === 1)
  for (const id of [...ids, ...ids, ...ids, last]) await notify(database.db, 'job', id)
  await until(() => marker.seen.length === 2)
  release()
  await until(() => reader.seen.length === 3)
  expect(reader.seen[2]?.changes.map(({ id }) => id)).toEqual([...ids, last])
  await Promise.all([reader.stop(), marker.stop()])
})

test('more than a thousand pending changes become one word: everything', async () => {
  const reader = read([{ topic: 'snapshots' }])
  await until(() => reader.seen.length === 1)
  const release = reader.hold()
  await notify(database.db, 'snapshots', 'first')
  await until(() => reader.seen.length === 2)
  await database.sql`select pg_notify('restic_manager', 'snapshots:' || n) from generate_series(1, 1500) n`
  const marker = read([{ topic: 'snapshots', id: 'last' }])
  await until(() => marker.seen.length === 1)
  await notify(database.db, 'snapshots', 'last')
  await until(() => marker.seen.length === 2)
  release()
  await until(() => reader.seen.length === 3)
  expect(reader.seen[2]?.everything).toBe(true)
  expect(reader.seen[2]?.changes.length).toBeLessThanOrEqual(1)
  await Promise.all([reader.stop(), marker.stop()])
})

test('after the listening connection was lost everybody reads everything again, and hears again', async () => {
  const reader = read([{ topic: 'host' }])
  await until(() => reader.seen.length === 1)
  for (const round of [2, 4]) {
    await database.db.execute(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query ilike 'listen %'`,
    )
    await until(() => reader.seen.length === round)
    expect(reader.seen.at(-1)).toEqual({ everything: true, changes: [] })
    const id = newId()
    await notify(database.db, 'host', id)
    await until(() => reader.seen.length === round + 1)
    expect(reader.seen.at(-1)?.changes).toEqual([{ topic: 'host', id }])
  }
  await reader.stop()
})

test('a lost notification costs at most one poll', async () => {
  const polling = await startBus(database.sql, { pollMs: 50 })
  const stop = new AbortController()
  const seen: Wakeup[] = []
  for await (const wakeup of polling.wakeups(
    [{ topic: 'job', id: randomBytes(4).toString('hex') }],
    stop.signal,
  )) {
    seen.push(wakeup)
    if (seen.length === 3) stop.abort()
  }
  expect(seen.slice(1)).toEqual([
    { everything: true, changes: [] },
    { everything: true, changes: [] },
  ])
  await polling.close()
})

test('a reader with a slow look of its own is woken by that look alone, and looks again and again', async () => {
  const polling = await startBus(database.sql, { pollMs: 50 })
  const stop = new AbortController()
  const seen: Wakeup[] = []
  let looks = 0
  const wakeups = polling.wakeups([{ topic: 'job', id: newId() }], stop.signal, reader => {
    looks += 1
    if (looks === 3) reader.readAll()
    if (looks === 5) stop.abort()
  })
  for await (const wakeup of wakeups) seen.push(wakeup)
  expect(seen).toEqual([
    { everything: true, changes: [] },
    { everything: true, changes: [] },
  ])
  await polling.close()
})

test('every reader looks a poll after it came, whoever came before it', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  const polling = await startBus(database.sql, { pollMs: 1_000 })
  const stop = new AbortController()
  const looks: string[] = []
  const register = (name: string) =>
    polling.wakeups([{ topic: 'job', id: newId() }], stop.signal, () => looks.push(name))
  register('first')
  vi.advanceTimersByTime(300)
  register('second')
  vi.advanceTimersByTime(700)
  expect(looks).toEqual(['first'])
  vi.advanceTimersByTime(300)
  expect(looks).toEqual(['first', 'second'])
  vi.advanceTimersByTime(2_000)
  expect(looks).toEqual(['first', 'second', 'first', 'second', 'first', 'second'])
  stop.abort()
  vi.useRealTimers()
  await polling.close()
})
