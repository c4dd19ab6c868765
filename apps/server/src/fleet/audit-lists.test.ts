// What the lists of a long audit log promise: the rows that a plain search would find, for a page's worth of reading.
import { inArray, sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { auditEvents as events } from '../db/schema-operators.ts'
import { auditTimeOf, fillAudit, hostIdIn } from '../testing-audit.ts'
import { type TestDatabase, testDatabase } from '../testing-database.ts'
import { type AuditFilter, type AuditPlace, numbersOf } from './audit-lists.ts'
import { auditPage } from './audit-views.ts'

const fill = { rows: 20_000, hosts: 200, people: 20 }
const limit = 20
let database: TestDatabase
let some: string
beforeAll(async () => {
  database = await testDatabase()
  await fillAudit(database.sql, fill)
  some = hostIdIn(17)
})
afterAll(() => database.close())

const at = (number: number) => auditTimeOf(fill, number)

/** Each with what a plain search would ask. */
const filters: Record<string, () => [AuditFilter, string]> = {
  'no filter': () => [{}, 'true'],
  'a person': () => [{ actor: 'person7@' }, `lower(actor_name) like 'person7@%'`],
  'all hosts as actors': () => [{ actor: 'WEB-' }, `actor_name like 'web-%'`],
  'somebody of long ago': () => [{ actor: 'gone' }, `actor_name = 'Gone@example.org'`],
  nobody: () => [{ actor: '%' }, 'false'],
  'an act': () => [{ action: 'hosts.update' }, `action = 'hosts.update'`],
  'an act of long ago': () => [{ action: 'repositories.remove' }, `action = 'repositories.remove'`],
  'all acts of a noun': () => [{ action: 'hosts.' }, `action like 'hosts.%'`],
  'a target': () => [{ targetId: some }, `target_id = '${some}'`],
  'a host': () => [{ hostId: some }, `host_ids @> array['${some}'::uuid]`],
  'some days': () => [
    { from: at(5_000), until: at(5_500) },
    `at between '${at(5_000).toISOString()}' and '${at(5_500).toISOString()}'`,
  ],
  'a person on some days': () => [
    { actor: 'person7@', from: at(5_000), until: at(9_000) },
    `lower(actor_name) like 'person7@%' and at between '${at(5_000).toISOString()}' and '${at(9_000).toISOString()}'`,
  ],
  'an act of a person': () => [
    { actor: 'person', action: 'hosts.' },
    `actor_name like 'Person%' and action like 'hosts.%'`,
  ],
  'an act about a host': () => [
    { hostId: some, action: 'jobs.' },
    `host_ids @> array['${some}'::uuid] and action like 'jobs.%'`,
  ],
}

describe.each(Object.keys(filters))('%s', name => {
  const asked = () => filters[name]?.() ?? [{}, 'true']

  test('shows what a plain search finds, page after page', async () => {
    const [filter, plain] = asked()
    const wanted = await database.db.execute<{ number: string }>(
      `select number from audit_events where ${plain} order by number desc limit ${4 * limit}`,
    )
    const seen: string[] = []
    let cursor: string | undefined
    do {
      const page = await auditPage(database.db, undefined, { ...filter, cursor, limit })
      seen.push(...page.rows.map(row => row.id))
      cursor = page.nextCursor ?? undefined
    } while (cursor !== undefined && seen.length < 4 * limit)
    expect(seen).toEqual(wanted.map(row => String(row.number)))
  })

  test.each([
    ['the newest page', undefined],
    ['a page far back', { at: at(9_000), number: 9_000 }],
  ])('%s reads no more than it shows from a few indexes', async (_page, after) => {
    const [filter] = asked()
    const { blocks, walks } = await read(filter, after)
    // The log has some 1,600 blocks. A few for each row that is shown, each step into an index, and what lies next to the place.
    expect(blocks).toBeLessThan(700)
    expect(walks).toEqual([])
  })
})

/** What the database touches for a page, and the tables it walked. */
async function read(filter: AuditFilter, after: AuditPlace | undefined) {
  const wish = { scope: undefined, filter, after, most: limit + 1 }
  const chosen = database.db
    .select()
    .from(events)
    .where(inArray(events.number, sql`(${numbersOf(wish)})`))
  const [row] = await database.db.execute<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
    sql`explain (analyze, buffers, format json) ${chosen}`,
  )
  const plan = row?.['QUERY PLAN'][0].Plan ?? {}
  const blocks = (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0)
  return { blocks, walks: JSON.stringify(plan).match(/Seq Scan","[^}]*?"Relation Name":"audit_\w+"/g) ?? [] }
}

test('somebody limited to tags reads what is about their hosts in the same way', async () => {
  const { db, sql: client } = database
  await client`insert into hosts (id, name, public_key, hostname, tags, enrolled_at)
    values (${some}, 'web-17', 'x', 'web-17', '{blue}', now())`
  const page = await auditPage(db, ['blue'], { limit })
  expect(page.rows.length).toBeGreaterThan(0)
  for (const { hostIds } of page.rows) expect(hostIds).toContain(some)
})
