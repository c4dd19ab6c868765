// Who is waiting for what: NOTIFY inside a transaction, one LISTEN per server, wake-ups for subscriptions.
import { sql as query, type SQL, type SQLWrapper } from 'drizzle-orm'
import type postgres from 'postgres'
import { timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import { createAlarm, type Sleeper } from './alarm.ts'
import { listen } from './listen.ts'
import type { Db } from './open.ts'

/**
 * What may change. The id is that of the noun, for `audit` none; for `hello`, `session`, `orders` and `schedule` it is the host's, for
 * `progress` and `log` the job's. `session`: which connections of a host may stay.
 */
export type Topic =
  | 'host'
  | 'hello'
  | 'session'
  | 'job'
  | 'repository'
  | 'snapshots'
  | 'enrolment'
  | 'alert'
  | 'audit'
  | 'orders'
  | 'schedule'
  | 'progress'
  | 'log'
  | 'operator'
  | 'lag'
export type BusChange = { topic: Topic; id: string }

/**
 * A reason to look again. `everything`: notifications may have been missed, so read all of it. The slow look that bounds the cost of a
 * lost one says so too.
 */
export type Wakeup = { everything: boolean; changes: BusChange[] }

/** Finds out by itself whether there is anything to read, and lets the reader do so only then. */
export type SlowLook = (reader: { readAll(): void }) => void

/** What to watch: one thing, or all of a topic. */
export type Watch = { topic: Topic; id?: string }

export type Bus = {
  /**
   * Registers at once and yields at once with `everything: true`, then whenever something watched has changed.
   * Changes that come while the reader is busy are kept as a set. Ends when `signal` aborts. With a `slowLook` of its own the reader is
   * not woken every so often for nothing.
   */
  wakeups(watch: readonly Watch[], signal: AbortSignal, slowLook?: SlowLook): AsyncIterable<Wakeup>
  /** How many readers are registered. */
  listeners(): number
  /** Whether only the slow look tells readers of changes: the database has not let this server listen for some seconds. */
  isDeaf(): boolean
  close(): Promise<void>
}

const channel = 'restic_manager'
const mostPending = 1_000
/** Ids of one topic in one notification, which holds less than 8,000 bytes. */
const MOST_IN_ONE = 200

/** Tells every server that something changed, if and when the transaction commits. */
export async function notify(tx: Db, topic: Topic, id: string): Promise<void> {
  await tx.execute(query`select pg_notify(${channel}, ${`${topic}:${id}`})`)
}

/** What changed, by topic. An id may be there more than once. */
export type Changed = Partial<Record<Topic, Iterable<string>>>

/** Everything that changed in one statement, be it a whole fleet whose rows are held meanwhile; nothing at all is no statement. */
export async function notifyAll(tx: Db, changed: Changed): Promise<void> {
  const said = Object.entries(changed).flatMap(([topic, ids]) => {
    const each = [...new Set(ids)]
    return Array.from(
      { length: Math.ceil(each.length / MOST_IN_ONE) },
      (_, nth) => `${topic}:${each.slice(nth * MOST_IN_ONE, (nth + 1) * MOST_IN_ONE).join()}`,
    )
  })
  if (said.length === 0) return
  await tx.execute(query`select count(pg_notify(${channel}, said))
    from jsonb_array_elements_text(${JSON.stringify(said)}::jsonb) as told(said)`)
}

/**
 * For the `returning` of a statement: tells of each row that it changed, without a statement of its own. Nothing is told of a row
 * whose `id` is null.
 */
export const telling = (topic: Topic, id: SQLWrapper): SQL<unknown> =>
  query`case when ${id} is not null then pg_notify(${channel}, ${`${topic}:`} || ${id}) end`

/**
 * For a statement that changes many rows: tells of all that `ids` finds, a query with one column `id`, which may hold an id more than
 * once or null. An expression, to be selected once.
 */
export const tellingAll = (topic: Topic, ids: SQL): SQL<unknown> =>
  query`(select count(pg_notify(${channel}, ${`${topic}:`} || together.ids)) from (
    select string_agg(each.id::text, ',') as ids from (
      select id, (row_number() over () - 1) / ${MOST_IN_ONE} as nth
      from (select distinct id from (${ids}) as changed where id is not null) as once
    ) as each group by each.nth) as together)`

/** The ids that one notification tells of. */
export function readNotification(payload: string): BusChange[] {
  const cut = payload.indexOf(':')
  const topic = payload.slice(0, cut) as Topic
  return payload
    .slice(cut + 1)
    .split(',')
    .map(id => ({ topic, id }))
}

/** Listens on one connection of its own. After that connection was lost, everybody is woken to read everything. */
export async function startBus(
  sql: postgres.Sql,
  { pollMs = timing.poll, log }: { pollMs?: number; log?: Log } = {},
): Promise<Bus> {
  const readers = new Set<Reader>()
  const byKey = createIndex()
  const wake = createAlarm()

  const listening = await listen(sql, channel, {
    hear(payload) {
      for (const change of readNotification(payload)) {
        const key = `${change.topic}:${change.id}`
        for (const watched of [key, `${change.topic}:*`])
          for (const reader of byKey.find(watched)) reader.add(key, change)
      }
    },
    missed: () => readers.forEach(reader => reader.readAll()),
    askMs: pollMs,
    log,
  })

  // Looks of different readers are spread over the period by when they registered. Whoever looked goes to the end of the line.
  const tick = setInterval(() => {
    const now = performance.now()
    for (const reader of readers) {
      if (reader.lookedAt > now - pollMs) break
      readers.delete(reader)
      readers.add(reader)
      reader.lookSlowly(now)
    }
  }, pollMs / 10)
  tick.unref()

  return {
    wakeups(watch, signal, slowLook) {
      const keys = watch.map(({ topic, id }) => `${topic}:${id ?? '*'}`)
      const reader = new Reader(wake, slowLook, () => {
        readers.delete(reader)
        for (const key of keys) byKey.remove(key, reader)
        signal.removeEventListener('abort', reader.end)
      })
      if (signal.aborted) {
        reader.end()
        return reader
      }
      readers.add(reader)
      for (const key of keys) byKey.add(key, reader)
      signal.addEventListener('abort', reader.end, { once: true })
      return reader
    },
    listeners: () => readers.size,
    isDeaf: listening.isDeaf,
    async close() {
      clearInterval(tick)
      for (const reader of readers) reader.end()
      await listening.close()
    },
  }
}

/** Who watches a key. Nearly always that is one reader, and a set for each of thousands would weigh more than they do. */
function createIndex() {
  const byKey = new Map<string, Reader | Set<Reader>>()
  return {
    find(key: string): Iterable<Reader> {
      const found = byKey.get(key)
      return found === undefined ? [] : found instanceof Reader ? [found] : found
    },
    add(key: string, reader: Reader) {
      const found = byKey.get(key)
      if (found === undefined) byKey.set(key, reader)
      else if (found instanceof Reader) byKey.set(key, new Set([found, reader]))
      else found.add(reader)
    },
    remove(key: string, reader: Reader) {
      const found = byKey.get(key)
      if (found instanceof Set) found.delete(reader)
      if (found === reader || (found instanceof Set && found.size === 0)) byKey.delete(key)
    },
  }
}

/** One reader's unread wake-ups. There are two for each connected host, and nearly all of them wait: what is not needed for that is not there. */
class Reader implements AsyncIterableIterator<Wakeup> {
  lookedAt = performance.now()
  readonly #alarm: (sleeper: Sleeper) => void
  readonly #slowLook: SlowLook | undefined
  readonly #unregister: () => void
  #pending: Map<string, BusChange> | undefined
  #everything = true
  #ended = false
  #resolve: ((result: IteratorResult<Wakeup>) => void) | undefined

  constructor(alarm: (sleeper: Sleeper) => void, slowLook: SlowLook | undefined, unregister: () => void) {
    this.#alarm = alarm
    this.#slowLook = slowLook
    this.#unregister = unregister
  }

  add(key: string, change: BusChange) {
    if (!this.#everything) (this.#pending ??= new Map()).set(key, change)
    if (this.#pending !== undefined && this.#pending.size > mostPending) this.readAll()
    else this.#ring()
  }

  readAll() {
    this.#everything = true
    this.#pending = undefined
    this.#ring()
  }

  lookSlowly(now: number) {
    this.lookedAt = now
    if (this.#slowLook === undefined) this.readAll()
    else this.#slowLook(this)
  }

  end = () => {
    this.#ended = true
    this.#unregister()
    this.wake()
  }

  /** Who is busy looks again by itself. */
  #ring() {
    if (this.#resolve !== undefined) this.#alarm(this)
  }

  wake() {
    const resolve = this.#resolve
    if (resolve === undefined || !this.#isDue()) return
    this.#resolve = undefined
    resolve(this.#take())
  }

  next(): Promise<IteratorResult<Wakeup>> {
    if (this.#isDue()) return Promise.resolve(this.#take())
    return new Promise(resolve => {
      this.#resolve = resolve
    })
  }

  #isDue() {
    return this.#ended || this.#everything || this.#pending !== undefined
  }

  #take(): IteratorResult<Wakeup> {
    if (this.#ended) return { done: true, value: undefined }
    const value: Wakeup = { everything: this.#everything, changes: [...(this.#pending?.values() ?? [])] }
    this.#everything = false
    this.#pending = undefined
    return { done: false, value }
  }

  async return(): Promise<IteratorResult<Wakeup>> {
    this.end()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator]() {
    return this
  }

  async [Symbol.asyncDispose]() {
    this.end()
  }
}
