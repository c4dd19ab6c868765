// Who is there: heartbeats and partings are kept in memory and written together, so that a beat costs no statement.
import { sql } from 'drizzle-orm'
import type { SpoolReport } from '@restic-manager/contract/agent'
import { timing } from '@restic-manager/contract/timing'
import type { HostSession } from '../context.ts'
import type { Db } from '../db/open.ts'
import { notifyAll, telling } from '../db/bus.ts'

type News = { session: number; there: boolean; atMs: number; beat: Beat | undefined }

/** What a heartbeat says. `skewMs`: how far the host's clock is ahead of this server's, the way here included. */
export type Beat = { spool: SpoolReport; skewMs: number }

/** What this server heard of its agents since it last wrote it down. */
export type Presence = {
  /** The host said hello; when `closed` aborts it has left. */
  arrived(host: HostSession, closed: AbortSignal): void
  /** A heartbeat came. */
  heard(host: HostSession, beat: Beat): void
  /**
   * Writes what was heard, in one statement. Safe to call at any time; news that could not be written is kept, and that of a host whose row
   * somebody else holds: to wait for it would be to hold all others meanwhile.
   */
  flush(db: Db): Promise<void>
}

/** An empty memory of who was heard. One for each server process. */
export function createPresence(): Presence {
  let news = new Map<string, News>()
  const keep = (host: HostSession, there: boolean, beat?: Beat) => {
    const before = news.get(host.id)
    if (before !== undefined && before.session > host.session) return
    const known = beat ?? (before?.session === host.session ? before.beat : undefined)
    news.set(host.id, { session: host.session, there, atMs: performance.now(), beat: known })
  }
  const writeLater = (id: string, old: News | undefined) => {
    if (old !== undefined && !news.has(id)) news.set(id, old)
  }
  return {
    arrived(host, closed) {
      if (closed.aborted) keep(host, false)
      else closed.addEventListener('abort', () => keep(host, false), { once: true })
    },
    heard: (host, beat) => keep(host, true, beat),
    async flush(db) {
      if (news.size === 0) return
      const writing = news
      news = new Map()
      try {
        for (const id of await writeNews(db, writing)) writeLater(id, writing.get(id))
      } catch (error) {
        for (const [id, old] of writing) writeLater(id, old)
        throw error
      }
    },
  }
}

/** One host's absurd number must not keep the news of all the others from being written. */
const MOST = 2_147_483_647

/** One statement for all of them. An older session than the host's newest changes nothing. Answers whose row was held. */
async function writeNews(db: Db, news: Map<string, News>): Promise<string[]> {
  const nowMs = performance.now()
  const heard = [...news].map(([id, { session, there, atMs, beat }]) => ({
    id,
    session,
    there,
    age: Math.max(0, Math.round(nowMs - atMs)),
    facts: beat === undefined ? null : Math.min(beat.spool.facts, MOST),
    logBytes: beat?.spool.logBytes ?? null,
    full: beat === undefined ? null : (beat.spool.full ?? false),
    setAside: beat?.spool.setAside ?? null,
    skewMs: beat === undefined ? null : Math.max(-MOST, Math.min(MOST, Math.round(beat.skewMs))),
  }))
  return db.transaction(async tx => {
    const rows = await tx.execute<{ id: string; isHeld: boolean }>(sql`
      with heard as (
        select * from jsonb_to_recordset(${JSON.stringify(heard)}::jsonb)
          as heard(id uuid, session bigint, there boolean, age integer, facts integer, "logBytes" bigint,
            "full" boolean, "setAside" jsonb, "skewMs" integer)
      ), locked as materialized (
        select heard.*, hosts.online as was_online, hosts.spool_full as was_full, hosts.set_aside as was_aside,
          hosts.clock_skew_ms as was_skew
        from hosts join heard on heard.id = hosts.id
        where hosts.session_number = heard.session and hosts.removed_at is null
        order by hosts.id for no key update of hosts skip locked
      ), written as (
        update hosts set
          online = locked.there and hosts.quarantined_at is null,
          last_seen_at = greatest(hosts.last_seen_at, now() - locked.age * interval '1 millisecond'),
          spool_facts = coalesce(locked.facts, hosts.spool_facts),
          spool_log_bytes = coalesce(locked."logBytes", hosts.spool_log_bytes),
          spool_full = coalesce(locked."full", hosts.spool_full),
          clock_skew_ms = coalesce(locked."skewMs", hosts.clock_skew_ms),
          set_aside = case when locked."full" is null then hosts.set_aside else locked."setAside" end
        from locked where hosts.id = locked.id and hosts.session_number = locked.session
        returning hosts.id, hosts.online <> locked.was_online or hosts.spool_full <> locked.was_full
          or hosts.set_aside is distinct from locked.was_aside
          or (abs(hosts.clock_skew_ms) > ${timing.skewWarned}) <> (abs(locked.was_skew) > ${timing.skewWarned})
          as has_changed
      )
      select id, false as "isHeld" from written where has_changed
      union all
      select hosts.id, true from hosts join heard on heard.id = hosts.id and hosts.session_number = heard.session
      where hosts.removed_at is null and heard.id not in (select id from locked)`)
    await notifyAll(tx, { host: rows.flatMap(({ id, isHeld }) => (isHeld ? [] : id)) })
    return rows.flatMap(({ id, isHeld }) => (isHeld ? id : []))
  })
}

/** Marks as offline whoever has been silent for `silenceMs`. One statement for the whole fleet; any server may run it. */
export async function sweepSilentHosts(db: Db, silenceMs: number): Promise<string[]> {
  const gone = await db.execute<{ id: string }>(sql`
    update hosts set online = false where id in (
      select id from hosts
      where online and coalesce(last_seen_at, connected_at, 'epoch') < now() - ${silenceMs} * interval '1 millisecond'
      order by id for no key update skip locked)
    returning id, ${telling('host', sql`id`)}`)
  return gone.map(({ id }) => id)
}
