// What needs attention, for who is limited to a tag: alerts of hosts with it, and no word of any other host.
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { hosts, jobs, repositories, schedules } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost, type TestHost } from '../testing-fleet.ts'
import { applySet, planOn } from '../testing-schedules.ts'
import { alertPage } from './alert-views.ts'
import { keepAttention } from './attention.ts'
import { countOutcomes } from './outcomes.ts'
import { overviewOf } from './overview.ts'
import { readPlans } from './plans.ts'

const scope = ['own']
let database: TestDatabase
let own: TestHost
let hidden: TestHost
beforeAll(async () => {
  database = await testDatabase()
  own = await makeHost(database.db, database.seal, 'web-1')
  hidden = await makeHost(database.db, database.seal, 'ledger-7')
  const { db } = database
  await change(own, { tags: ['own'] })
  await change(hidden, { tags: ['foreign'] })
  // Both use the repository of the first, which the second maintains.
  await db.execute(
    sql`insert into host_repositories (host_id, repository_id) values (${hidden.hostId}, ${own.repositoryId})`,
  )
  await db
    .update(repositories)
    .set({ maintenanceHostId: hidden.hostId })
    .where(eq(repositories.id, own.repositoryId))
})
afterAll(() => database.close())

const change = (host: TestHost, set: Partial<typeof hosts.$inferInsert>) =>
  database.db.update(hosts).set(set).where(eq(hosts.id, host.hostId))

/** A plan on the repository that both use, whose newest run failed because it is full. */
async function failOn(host: TestHost) {
  const scheduleId = await planOn(database.db, host, { repositoryIds: [own.repositoryId] })
  await applySet(database.db, host)
  await database.db.insert(jobs).values({
    ...{ id: newId(), hostId: host.hostId, repositoryId: own.repositoryId, scheduleId, kind: 'backup' },
    ...{ status: 'failed', reason: 'storage_full', error: 'ledger-7 and web-1', spec: {} },
  })
  return scheduleId
}

async function seen() {
  await countOutcomes(database.db)
  await readPlans(database.db)
  await keepAttention(database.db)
  const whole = await alertPage(database.db, undefined, { which: 'open', limit: 50 })
  const part = await alertPage(database.db, scope, { which: 'open', limit: 50 })
  const { attention, running, maintenance } = await overviewOf(database.db, scope)
  const said = JSON.stringify({ part, attention, running, maintenance })
  return { whole, part, attention, said }
}

test('who is limited to a tag sees the alerts of its hosts, and in none of them another host', async () => {
  await failOn(own)
  const rejected = await failOn(hidden)
  await database.db
    .update(schedules)
    .set({ rejectedCode: 'invalid_time_zone', rejectedReason: 'Not on ledger-7.' })
    .where(eq(schedules.id, rejected))
  const createdAt = new Date(Date.now() - 7_200_000).toISOString()
  const locks = [{ hostname: 'ledger-7', pid: 41, createdAt, exclusive: true }]
  await database.db
    .update(repositories)
    .set({ lockState: 'locked', locks })
    .where(eq(repositories.id, own.repositoryId))

  const { whole, part, attention, said } = await seen()
  expect(whole.rows.map(({ kind, host }) => `${kind} ${host?.name}`).toSorted()).toEqual([
    'backup_failed ledger-7',
    'backup_failed web-1',
    'repository_locked ledger-7',
    'schedule_rejected ledger-7',
  ])
  expect(part.rows).toMatchObject([{ kind: 'backup_failed', host: { id: own.hostId } }])
  expect([part.openCount, attention.total, attention.rows.length]).toEqual([1, 1, 1])
  expect(said).not.toContain('ledger-7')
  expect(said).not.toContain(hidden.hostId)
})

test('a full repository that a host outside of the tag maintains offers them another try, and who sees that host a prune', async () => {
  const { whole, part } = await seen()
  expect(part.rows.map(({ clear }) => clear?.do)).toEqual(['retry'])
  expect(whole.rows.find(({ host }) => host?.id === own.hostId)?.clear).toMatchObject({
    do: 'prune_now',
    hostId: hidden.hostId,
  })
})

test('a lock of a host outside of the tag on a repository of a host inside is told without its name', async () => {
  await database.db
    .update(repositories)
    .set({ maintenanceHostId: own.hostId })
    .where(eq(repositories.id, own.repositoryId))
  await database.db.update(repositories).set({ locks: [] }).where(eq(repositories.id, own.repositoryId))
  await seen()
  const createdAt = new Date(Date.now() - 7_200_000).toISOString()
  await database.db
    .update(repositories)
    .set({ locks: [{ hostname: 'ledger-7', pid: 41, createdAt, exclusive: true }] })
    .where(eq(repositories.id, own.repositoryId))
  const { part, said } = await seen()
  expect(part.rows.map(({ kind, clear }) => [kind, clear?.do]).toSorted()).toEqual([
    ['backup_failed', 'prune_now'],
    ['repository_locked', 'remove_lock'],
  ])
  expect(said).not.toContain('ledger-7')
})
