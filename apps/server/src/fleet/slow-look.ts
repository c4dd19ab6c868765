// The slow look at connected hosts, in case a notification was lost: one for all who look at about the same time, and only who has
// something to hear is woken for it.
import { setImmediate as turn } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import type { HostSession } from '../context.ts'
import type { Db } from '../db/open.ts'
import { isOutage } from '../db/outage.ts'
import { askedSessions, isAskedSession } from './asked-sessions.ts'
import type { Standing } from './news.ts'
import { isNewTo, type Sent } from './orders.ts'
import { cancelledOf, queuedOf } from './orders-due.ts'

/** Whose look it is: its reader reads only when there is something to read. */
type Reader = { readAll(): void }

/** What a stream has said; null: it says nothing of this kind. */
type Said = { config: number | null; key: boolean | null; schedule: number | null }

type Look = { isNew(now: Standing): boolean; reader: Reader }

/** One row of the statement: a session, and the looks that its streams take. A class, because there are thousands each second. */
class Asked implements Said {
  readonly host: HostSession
  readonly looks: Look[] = []
  config: number | null = null
  key: boolean | null = null
  schedule: number | null = null
  constructor(host: HostSession) {
    this.host = host
  }
}

/** Sessions in one statement. */
const SLICE = 500
/** No version is as low: nothing was said yet. */
const NOTHING_SAID = -1

/** Has a stream of orders that has said `sent` read on if there is more. */
export function lookForOrders(db: Db, host: HostSession, sent: Sent, reader: Reader): void {
  const asked = lineOf(db).askedBy(host, ({ config }) => config === null)
  asked.config = sent.configVersion ?? NOTHING_SAID
  asked.key = sent.toldOfKey
  asked.looks.push({ isNew: now => isNewTo(sent, now), reader })
}

/** Has a stream of plans that has said that version read on if there is another. */
export function lookForSchedules(
  db: Db,
  host: HostSession,
  version: number | undefined,
  reader: Reader,
): void {
  const asked = lineOf(db).askedBy(host, ({ schedule }) => schedule === null)
  asked.schedule = version ?? NOTHING_SAID
  asked.looks.push({ isNew: now => now.scheduleVersion !== version, reader })
}

/** Each `db` gathers for itself, so that a transaction is never mixed with others. */
const lines = new WeakMap<Db, ReturnType<typeof openLine>>()
function lineOf(db: Db) {
  let line = lines.get(db)
  if (line === undefined) lines.set(db, (line = openLine(db)))
  return line
}

/** One statement at a time. Who comes meanwhile is in the next. */
function openLine(db: Db) {
  let waiting: Asked[] = []
  let newest = new Map<HostSession, Asked>()
  let isAsking = false

  async function askAsLongAsSomebodyWaits() {
    isAsking = true
    await turn() // all who look now come together
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      newest = new Map()
      for (let first = 0; first < batch.length; first += SLICE)
        await askFor(db, batch.slice(first, first + SLICE))
    }
    isAsking = false
  }

  return {
    /** The row of this connection where there is still room for such a look: both of its streams are in one. */
    askedBy(host: HostSession, hasRoom: (asked: Asked) => boolean): Asked {
      const before = newest.get(host)
      if (before !== undefined && hasRoom(before)) return before
      const asked = new Asked(host)
      newest.set(host, asked)
      waiting.push(asked)
      if (!isAsking) void askAsLongAsSomebodyWaits()
      return asked
    },
  }
}

/**
 * Never rejects. While the database is away nobody is woken: the next look is as good. Whatever else is wrong the streams are to find
 * by themselves.
 */
async function askFor(db: Db, asked: readonly Asked[]): Promise<void> {
  try {
    for (const { at, isOver, ...now } of await readNews(db, asked))
      for (const { isNew, reader } of asked[at]?.looks ?? []) if (isOver || isNew(now)) reader.readAll()
  } catch (error) {
    if (!isOutage(error)) for (const { looks } of asked) for (const { reader } of looks) reader.readAll()
  }
}

/** The database answers only for who may have something to hear. A session that is over may: its stream is to find that out. */
const readNews = (db: Db, asked: readonly Asked[]) =>
  db.execute<Standing & { at: number; isOver: boolean }>(sql`
    select asked.at, hosts.id is null as "isOver",
      hosts.config_version as "configVersion", hosts.schedule_version as "scheduleVersion",
      hosts.max_concurrent_runs as "maxConcurrentRuns", hosts.hook_shell as "hookShell", hosts.agent_version as "agentVersion",
      hosts.key_change_wanted_at as "keyWantedAt", due.queued, due.cancelled
    from ${askedSessions(asked.map(rowOf), sql`, config integer, key boolean, schedule integer`)}
      left join hosts on ${isAskedSession}
      left join lateral (select ${queuedOf} as queued, ${cancelledOf} as cancelled) as due on asked.config is not null
    where hosts.id is null or hosts.config_version <> asked.config or hosts.schedule_version <> asked.schedule
      or (hosts.key_change_wanted_at is not null and not asked.key)
      or cardinality(due.queued) > 0 or cardinality(due.cancelled) > 0`)

const rowOf = ({ host: { id, session, timeline }, config, key, schedule }: Asked) => ({
  ...{ id, session, timeline },
  ...{ config, key, schedule },
})
