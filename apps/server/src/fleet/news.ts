// Whether there is something new for connected hosts: one look at the database for all who ask at about the same time.
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import type { HostSession } from '../context.ts'
import type { Db } from '../db/open.ts'
import { currentTimeline } from '../db/timeline.ts'
import { cancelledOf, queuedOf } from './orders-due.ts'

/** What stands for a host now. */
export type Standing = {
  configVersion: number
  scheduleVersion: number
  keyWanted: boolean
  queued: string[]
  cancelled: string[]
}

/** Answers undefined for a session that is over. Rejects while the database is away. */
export type HostNews = (host: HostSession) => Promise<Standing | undefined>

type Batch = { hosts: Map<string, HostSession>; answer: Promise<Map<string, Standing>> }

/** Hosts in one statement. */
const MOST = 1_000
const GATHER_MS = 20

const keyOf = ({ id, session, timeline }: HostSession) => `${id} ${session} ${timeline}`

/** One for each server process: a fleet looks again every few seconds, in case a notification was lost. */
export function createHostNews(db: Db): HostNews {
  let gathering: Batch | undefined

  function begin(): Batch {
    const hosts = new Map<string, HostSession>()
    const answer = sleep(GATHER_MS).then(() => {
      gathering = undefined
      return readStandings(db, hosts)
    })
    return { hosts, answer }
  }

  return async host => {
    const batch = (gathering ??= begin())
    batch.hosts.set(keyOf(host), host)
    return (await batch.answer).get(keyOf(host))
  }
}

async function readStandings(db: Db, hosts: Map<string, HostSession>): Promise<Map<string, Standing>> {
  const found = new Map<string, Standing>()
  const all = [...hosts.values()]
  for (let from = 0; from < all.length; from += MOST) {
    const asked = JSON.stringify(all.slice(from, from + MOST))
    const rows = await db.execute<Standing & { id: string; session: string; timeline: string }>(sql`
      select hosts.id, asked.session, asked.timeline, hosts.config_version as "configVersion",
        hosts.schedule_version as "scheduleVersion", hosts.key_change_wanted_at is not null as "keyWanted",
        ${queuedOf} as queued, ${cancelledOf} as cancelled
      from hosts
      join jsonb_to_recordset(${asked}::jsonb) as asked(id uuid, session bigint, timeline text)
        on asked.id = hosts.id and asked.session = hosts.session_number
      where hosts.quarantined_at is null and hosts.removed_at is null
        and asked.timeline = (select ${currentTimeline})`)
    for (const { id, session, timeline, ...standing } of rows)
      found.set(keyOf({ id, session: Number(session), timeline }), standing)
  }
  return found
}
