// Which rows of the audit log a page shows. Whatever is asked for, a page's worth is read from an index, however long the log is.
import { and, eq, gte, like, lte, type SQL, sql } from 'drizzle-orm'
import type { z } from 'zod'
import type { AuditListRequest } from '@restic-manager/contract/audit'
import { hosts } from '../db/schema.ts'
import { auditEventHosts as about, auditEvents as events } from '../db/schema-operators.ts'
import type { Scope } from './scope.ts'

export type AuditFilter = Omit<z.infer<typeof AuditListRequest>, 'limit' | 'cursor'>

/** A row, as the place after which a list goes on. */
export type AuditPlace = { at: Date; number: number }

/** As the indexes have them: bytewise, so that what begins alike stands together whatever the language of the database. */
const actorKey = sql`lower(${events.actorName}) collate "C"`
const actionKey = sql`${events.action} collate "C"`

/** So many rows next to a place are looked through before anything else. */
const nearRows = 1_000

type Wish = { scope: Scope; filter: AuditFilter; after: AuditPlace | undefined; most: number }

/** A select of the numbers of the newest `most` rows that the filter lets through, after a place. Newer is by time, then by number. */
export function numbersOf(wish: Wish): SQL {
  const { actor, action, targetId, hostId } = wish.filter
  if (targetId !== undefined) return plainly(wish, eq(events.targetId, targetId))
  if (hostId !== undefined) return byHosts(wish, sql`select ${hostId}::uuid as key`)
  if (actor !== undefined)
    return nearFirst(wish, byKeys(wish, actorKey, beginningWith(actorKey, sql`lower(${actor.trim()})`)))
  if (action?.endsWith('.'))
    return nearFirst(wish, byKeys(wish, actionKey, beginningWith(actionKey, sql`${action}::text`)))
  if (action !== undefined) return plainly(wish, sql`${actionKey} = ${action}`)
  if (wish.scope !== undefined) return nearFirst(wish, byHosts(wish, hostsOf(wish.scope)))
  return plainly(wish, undefined)
}

const newestFirst = sql`order by ${events.at} desc, ${events.number} desc`

const plainly = (wish: Wish, key: SQL | undefined) =>
  sql`select ${events.number} from ${events} where ${all(key, within(wish, events), rest(wish))}
    ${newestFirst} limit ${wish.most}`

/** What many rows fit fills its page from the rows next to the place. Only otherwise the keys are gone through. */
const nearFirst = (wish: Wish, otherwise: SQL) => sql`
  with near as materialized (select ${events.number} from (
      select * from ${events} where ${all(within(wish, events))} ${newestFirst} limit ${nearRows}) as ${events}
    where ${all(asked(wish))} ${newestFirst} limit ${wish.most})
  select near.number from near where (select count(*) from near) = ${wish.most}
  union all
  select further.number from (${otherwise}) as further where (select count(*) from near) < ${wish.most}`

/** A row has one key. Only keys whose own newest row is among the newest can give one to the page. */
function byKeys(wish: Wish, key: SQL, keys: SQL): SQL {
  const newest = (of: SQL, limit: number) => sql`select ${events.at}, ${events.number} from ${events}
    where ${all(sql`${key} = ${of}`, within(wish, events), rest(wish))} ${newestFirst} limit ${limit}`
  return sql`select picked.number from (
      select named.key from (${keys}) as named cross join lateral (${newest(sql`named.key`, 1)}) as top
      order by top.at desc, top.number desc limit ${wish.most}) as near
    cross join lateral (${newest(sql`near.key`, wish.most)}) as picked
    order by picked.at desc, picked.number desc limit ${wish.most}`
}

/** A row may be about many hosts. */
function byHosts(wish: Wish, keys: SQL): SQL {
  const others = rest(wish)
  const fitting =
    others && sql`and exists (select 1 from ${events} where ${events.number} = ${about.number} and ${others})`
  return sql`select picked.number from (${keys}) as named cross join lateral (
      select ${about.at}, ${about.number} from ${about}
      where ${all(sql`${about.hostId} = named.key`, within(wish, about))} ${fitting}
      order by ${about.at} desc, ${about.number} desc limit ${wish.most}) as picked
    group by picked.at, picked.number order by picked.at desc, picked.number desc limit ${wish.most}`
}

/** Every key with this beginning, found one after another without the rows between. */
function beginningWith(key: SQL, beginning: SQL): SQL {
  const next = (from: SQL) => sql`select ${key} as key from ${events}
    where ${key} ${from} and ${key} < (${beginning}) || U&'\\+10FFFF' order by ${key} limit 1`
  return sql`with recursive found(key) as (
      (${next(sql`>= ${beginning}`)})
      union all
      select following.key from found cross join lateral (${next(sql`> found.key`)}) as following)
    select key from found`
}

/** What somebody limited to tags sees: what is about a host with one of them. */
const hostsOf = (scope: readonly string[]) =>
  sql`select seen.id as key from hosts as seen where seen.tags && ${sql.param([...scope], hosts.tags)}`

const within = ({ filter: { from, until }, after }: Wish, of: typeof events | typeof about) =>
  and(
    from && gte(of.at, from),
    until && lte(of.at, until),
    after && sql`(${of.at}, ${of.number}) < (${after.at.toISOString()}::timestamptz, ${after.number})`,
  )

/** What the filter asks besides what led to a row; that is asked again then, and costs nothing. */
function rest(wish: Wish): SQL | undefined {
  const { actor, action, targetId, hostId } = wish.filter
  const wishes = [wish.scope, actor, action, targetId, hostId].filter(part => part !== undefined)
  return wishes.length < 2 ? undefined : asked(wish)
}

/** All that the filter asks of a row, but for its time. */
function asked({ scope, filter: { actor, action, targetId, hostId } }: Wish): SQL | undefined {
  return and(
    scope && sql`${events.hostIds} && array(${hostsOf(scope)})`,
    actor === undefined ? undefined : sql`${actorKey} like lower(${beginning(actor.trim())})`,
    action === undefined
      ? undefined
      : action.endsWith('.')
        ? like(events.action, beginning(action))
        : eq(events.action, action),
    targetId === undefined ? undefined : eq(events.targetId, targetId),
    hostId === undefined ? undefined : sql`${events.hostIds} @> array[${hostId}::uuid]`,
  )
}

const beginning = (text: string) => `${text.replaceAll(/[\\%_]/g, String.raw`\$&`)}%`

const all = (...conditions: (SQL | undefined)[]) => and(...conditions) ?? sql`true`
