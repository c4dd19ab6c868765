// The slow look at connected hosts, in case a notification was lost: one for all who look at about the same time, and only who has
// something to hear is woken for it.
import { sql } from 'drizzle-orm'
import type { HostSession } from '../context.ts'
import type { Db } from '../db/open.ts'
import { isOutage } from '../db/outage.ts'
import { together } from '../db/together.ts'
import { askedSessions, isAskedSession } from './asked-sessions.ts'
import type { Standing } from './news.ts'
import { isNewTo, type Sent } from './orders.ts'
import { cancelledOf, queuedOf } from './orders-due.ts'

/** Whose look it is: its reader reads only when there is something to read. */
type Reader = { readAll(): void }

/** What a stream has said; null: it says nothing of this kind. */
type Said = { config: number | null; key: boolean | null; schedule: number | null }

/** No version is as low: nothing was said yet. */
const NOTHING_SAID = -1

/** The database answers only for who may have something to hear. A session that is over may: its stream is to find that out. */
const newsFor = together<HostSession & Said, Standing | 'nothing' | 'over'>(async (db, asked) => {
  const news: (Standing | 'nothing' | 'over')[] = asked.map(() => 'nothing')
  const rows = await db.execute<Standing & { at: number; isOver: boolean }>(sql`
    select asked.at, hosts.id is null as "isOver",
      hosts.config_version as "configVersion", hosts.schedule_version as "scheduleVersion",
      hosts.max_concurrent_runs as "maxConcurrentRuns", hosts.hook_shell as "hookShell", hosts.agent_version as "agentVersion",
      hosts.key_change_wanted_at as "keyWantedAt", due.queued, due.cancelled
    from ${askedSessions(asked, sql`, config integer, key boolean, schedule integer`)}
      left join hosts on ${isAskedSession}
      left join lateral (select ${queuedOf} as queued, ${cancelledOf} as cancelled) as due on asked.config is not null
    where hosts.id is null or hosts.config_version <> asked.config or hosts.schedule_version <> asked.schedule
      or (hosts.key_change_wanted_at is not null and not asked.key)
      or cardinality(due.queued) > 0 or cardinality(due.cancelled) > 0`)
  for (const { at, isOver, ...standing } of rows) news[at] = isOver ? 'over' : standing
  return news
})

/** Has a stream of orders that has said `sent` read on if there is more. */
export function lookForOrders(db: Db, host: HostSession, sent: Sent, reader: Reader): void {
  const said = { config: sent.configVersion ?? NOTHING_SAID, key: sent.toldOfKey, schedule: null }
  look(db, host, said, now => isNewTo(sent, now), reader)
}

/** Has a stream of plans that has said that version read on if there is another. */
export function lookForSchedules(
  db: Db,
  host: HostSession,
  version: number | undefined,
  reader: Reader,
): void {
  const said = { config: null, key: null, schedule: version ?? NOTHING_SAID }
  look(db, host, said, now => now.scheduleVersion !== version, reader)
}

/** While the database is away nobody is woken: the next look is as good. Whatever else is wrong a stream is to find by itself. */
function look(db: Db, host: HostSession, said: Said, isNew: (now: Standing) => boolean, reader: Reader) {
  newsFor(db, { ...host, ...said }).then(
    (news = 'over') => {
      if (news !== 'nothing' && (news === 'over' || isNew(news))) reader.readAll()
    },
    (error: unknown) => {
      if (!isOutage(error)) reader.readAll()
    },
  )
}
