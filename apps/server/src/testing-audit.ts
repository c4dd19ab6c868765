// For tests and benchmarks only: an audit log as a fleet leaves it, made in one statement, without the chain; and one that is old, with it.
import { createHash } from 'node:crypto'
import type postgres from 'postgres'
import type { Db } from './db/open.ts'
import { auditEventHosts, auditEvents } from './db/schema-operators.ts'
import { auditHash } from './fleet/audit.ts'
import { checkAudit } from './fleet/audit-check.ts'

export type AuditFill = { rows: number; hosts: number; people: number }

/** The id of a host in a filled log, by its number from 0. */
export const hostIdIn = (host: number): string => {
  const hex = createHash('md5').update(`host ${host}`).digest('hex')
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `7${hex.slice(13, 16)}`,
    `8${hex.slice(17, 20)}`,
    hex.slice(20),
  ].join('-')
}
/** The same within a statement. */
const hostIdOf = (number: string) =>
  `overlay(overlay(md5('host ' || ${number}) placing '7' from 13) placing '8' from 17)::uuid`

/** When row `number` was written: one each half minute, the last one at the start of 2026. */
export const auditTimeOf = ({ rows }: AuditFill, number: number): Date =>
  new Date(Date.UTC(2026, 0, 1) - (rows - number) * 30_000)

/** Rows in one statement: a statement may take only so long. */
const slice = 50_000

/**
 * Three of ten rows are what people did, seven what hosts did; each is about one host, every hundredth about two. Some actors, hosts
 * and acts are only in the oldest rows.
 */
export async function fillAudit(sql: postgres.Sql, fill: AuditFill): Promise<void> {
  for (let first = 1; first <= fill.rows; first += slice) await fillSlice(sql, fill, first)
  await sql`vacuum analyze audit_events`
  await sql`vacuum analyze audit_event_hosts`
}

async function fillSlice(sql: postgres.Sql, fill: AuditFill, first: number): Promise<void> {
  const { rows, hosts, people } = fill
  await sql`
    insert into audit_events (number, at, actor_kind, actor_name, address, action, target_kind, target_id, target_name,
      host_ids, before, after, hash)
    select n, ${auditTimeOf(fill, 0)}::timestamptz + n * interval '30 seconds',
      case when by_person then 'operator' else 'host' end,
      case when n <= ${rows} / 100 then 'Gone@example.org' when by_person then 'Person' || who % ${people}::int || '@example.org'
        else 'web-' || who % ${hosts}::int end,
      '192.0.2.' || n % 250,
      case when n <= ${rows} / 100 then 'repositories.remove' else (array['hosts.update', 'hosts.pause', 'schedules.update',
        'jobs.run', 'jobs.cancel', 'signed in', 'enrolment redeemed', 'settings.update'])[1 + who % 8] end,
      'host', host, 'web-' || who % ${hosts}::int,
      case when n % 100 = 0 then array[host, ${sql.unsafe(hostIdOf('0'))}] else array[host] end,
      jsonb_build_object('name', 'web', 'tags', jsonb_build_array('a', 'b')), jsonb_build_object('name', 'web-2'),
      sha256(n::text::bytea)
    from generate_series(${first}::int, ${Math.min(first + slice - 1, rows)}::int) as n,
      lateral (select (n::bigint * 7919 / 8) as who, n % 10 < 3 as by_person) as drawn,
      lateral (select ${sql.unsafe(hostIdOf(`who % ${hosts}`))} as host) as about`
  await sql`insert into audit_event_hosts (host_id, at, number)
    select distinct host, at, number from audit_events, unnest(host_ids) as host
    where number between ${first} and ${first + slice - 1}`
}

const DAY_MS = 86_400_000

/** Adds rows as they were written so many days ago, one after another. Answers the last one. */
export async function fillOldAudit(
  db: Db,
  days: readonly number[],
): Promise<{ number: number; hash: string }> {
  const check = await checkAudit(db)
  if ('wrong' in check) throw new Error(check.wrong)
  const today = Math.floor(Date.now() / DAY_MS) * DAY_MS
  const hostId = hostIdIn(0)
  let { rows: number, hash } = check
  for (const ago of days) {
    number += 1
    const row = {
      ...{ number, at: new Date(today - ago * DAY_MS), actorKind: 'server' as const, actorId: null },
      ...{ actorName: 'server', address: null, action: 'tried' },
      ...{ targetKind: null, targetId: null, targetName: null },
      ...{ hostIds: [hostId], before: null, after: { ago } },
    }
    const next = auditHash(Buffer.from(hash, 'hex'), row)
    await db.insert(auditEvents).values({ ...row, hash: next })
    await db.insert(auditEventHosts).values({ hostId, at: row.at, number })
    hash = next.toString('hex')
  }
  return { number, hash }
}
