// Acts on many hosts: each host once, whoever works on it and however often it is asked; nobody else's hosts; and all of it on record.
import { eq, like, sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { timing } from '@restic-manager/contract/timing'
import { apiKeys, auditEvents, operators } from '../db/schema-operators.ts'
import { hosts, jobs } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost, repositoryOf } from '../testing-fleet.ts'
import { planOn } from '../testing-schedules.ts'
import type { Actor } from './audit.ts'
import { beginBulk, type BulkRequest, previewBulk, progressOf } from './bulk-acts.ts'
import { workOnBulk, workOnBulks } from './bulk-work.ts'
import { listTags } from './host-tags.ts'
import { createRepository } from './repositories.ts'
import { type Scope, wholeFleet } from './scope.ts'

const anna = { kind: 'operator', id: newId(), name: 'anna@example.org' } as const
let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
  await database.db.insert(operators).values({ id: anna.id, name: 'Anna', email: anna.name, role: 'admin' })
})
afterAll(() => database.close())

const begin = (request: BulkRequest, scope: Scope = wholeFleet, actor: Actor = anna) =>
  database.db.transaction(tx => beginBulk(tx, scope, request, actor))
const finish = (id: string) => workOnBulk(database.db, id, { timing, forMs: 60_000 })
const progress = (id: string) => progressOf(database.db, id, anna.id)
const preview = (request: Parameters<typeof previewBulk>[2]) => previewBulk(database.db, wholeFleet, request)
const rowsOfAct = async (id: string) =>
  (
    await database.db
      .select()
      .from(auditEvents)
      .where(sql`${auditEvents.after} ->> 'requestId' = ${id}`)
  ).length

/** Hosts without a word of an agent, as many as wished, all with the tag. */
async function makeMany(tag: string, count: number) {
  await database.sql`insert into hosts (id, name, hostname, public_key, tags)
    select gen_random_uuid(), ${tag} || '-' || n, ${tag}, ${tag} || n, array[${tag}] from generate_series(1, ${count}::int) n`
  const rows = await database.db
    .select({ id: hosts.id })
    .from(hosts)
    .where(like(hosts.name, `${tag}-%`))
  return rows.map(({ id }) => id)
}
const pausedWith = async (tag: string) =>
  database.db.$count(hosts, sql`${hosts.pausedAt} is not null and ${tag} = any(${hosts.tags})`)

test('everything that matches a filter is paused, in slices, each host once and each on record, by two servers at once', async () => {
  await makeMany('rack', 130)
  const filter = { tags: ['rack'] }
  const ask = { kind: 'pause' as const, filter }
  expect(await preview(ask)).toEqual({ hosts: 130, already: 0, schedules: 0 })
  const request: BulkRequest = { requestId: newId(), total: 130, reason: 'new disks', ...ask }
  await begin(request)
  await Promise.all([finish(request.requestId), finish(request.requestId)])
  await finish(request.requestId)
  expect(await progress(request.requestId)).toMatchObject({
    ...{ kind: 'pause', hosts: 130, done: 130, changed: 130, already: 0, refused: 0, why: [] },
    finishedAt: expect.any(Date),
  })
  expect([await pausedWith('rack'), await rowsOfAct(request.requestId)]).toEqual([130, 130])
  expect(await preview(ask)).toMatchObject({ already: 130 })
  expect(await begin(request)).toEqual({ hosts: 130 })
  await finish(request.requestId)
  expect(await rowsOfAct(request.requestId)).toBe(130)
})

test('what a server left half done another one takes up, and hosts that stand so already are not touched', async () => {
  const ids = await makeMany('half', 120)
  const [first, second] = [newId(), newId()]
  await begin({ requestId: first, kind: 'pause', hostIds: ids.slice(0, 20) })
  await finish(first)
  await begin({ requestId: second, kind: 'pause', hostIds: ids })
  await workOnBulk(database.db, second, { timing, forMs: 0 })
  expect(await progress(second)).toMatchObject({ done: 50, finishedAt: null })
  expect(await workOnBulks(database.db, { timing, forMs: 60_000 })).toBe(1)
  expect(await progress(second)).toMatchObject({ done: 120, changed: 100, already: 20 })
  const resume = newId()
  await begin({ requestId: resume, kind: 'resume', hostIds: ids })
  await finish(resume)
  expect([await progress(resume), await pausedWith('half')]).toMatchObject([{ changed: 120 }, 0])
})

test('another number of hosts than the operator saw is refused, and so is a request that means nothing or everything', async () => {
  await makeMany('seen', 3)
  const filter = { tags: ['seen'] }
  await expect(begin({ requestId: newId(), kind: 'pause', filter, total: 2 })).rejects.toMatchObject({
    code: 'version_stale',
    message: expect.stringContaining('2 hosts, and 3 match'),
  })
  await expect(begin({ requestId: newId(), kind: 'pause' })).rejects.toMatchObject({ code: 'bad_input' })
  const hostIds = [newId()]
  await expect(begin({ requestId: newId(), kind: 'pause', filter, hostIds })).rejects.toMatchObject({
    code: 'bad_input',
  })
})

test('only hosts that the operator sees are meant, and nobody else hears how far it is', async () => {
  await makeMany('mine', 2)
  await makeMany('theirs', 2)
  const requestId = newId()
  await begin({ requestId, kind: 'pause', filter: {}, total: 2 }, ['mine'])
  await finish(requestId)
  expect([await pausedWith('mine'), await pausedWith('theirs')]).toEqual([2, 0])
  expect(await progressOf(database.db, requestId, newId())).toBeNull()
})

test('each backup schedule of each host is run once, also when it is asked for twice; where it cannot, the host says why', async () => {
  const good = await makeHost(database.db, database.seal, 'good')
  const shut = await makeHost(database.db, database.seal, 'shut')
  const idle = await makeHost(database.db, database.seal, 'idle')
  for (const host of [good, shut]) await planOn(database.db, host)
  await planOn(database.db, good, { name: 'second' })
  await planOn(database.db, good, { name: 'resting', enabled: false })
  await database.db.update(hosts).set({ quarantinedAt: new Date() }).where(eq(hosts.id, shut.hostId))
  const hostIds = [good.hostId, shut.hostId, idle.hostId]
  expect(await preview({ kind: 'run', hostIds })).toEqual({ hosts: 3, already: 1, schedules: 3 })
  const requestId = newId()
  for (const _ of [1, 2]) {
    await begin({ requestId, kind: 'run', hostIds })
    await finish(requestId)
  }
  expect(await progress(requestId)).toMatchObject({
    ...{ changed: 1, already: 1, refused: 1 },
    why: [{ hostId: shut.hostId, hostName: 'shut', sentence: expect.stringContaining('quarantined') }],
  })
  expect(await database.db.$count(jobs, eq(jobs.hostId, good.hostId))).toBe(2)
  expect(await database.db.$count(jobs, eq(jobs.hostId, shut.hostId))).toBe(0)
})

test('a host on which only a part of its backups could be started is on record too', async () => {
  const half = await makeHost(database.db, database.seal, 'half-run')
  await planOn(database.db, half, { name: 'a' })
  const lost = await createRepository(database.db, database.seal, repositoryOf({ hostIds: [half.hostId] }))
  await planOn(database.db, half, { name: 'b', repositoryIds: [lost.repositoryId] })
  await database.sql`delete from host_repositories where repository_id = ${lost.repositoryId}`
  const requestId = newId()
  await begin({ requestId, kind: 'run', hostIds: [half.hostId] })
  await finish(requestId)
  expect(await progress(requestId)).toMatchObject({ changed: 0, refused: 1 })
  expect(await database.db.$count(jobs, eq(jobs.hostId, half.hostId))).toBe(1)
  expect(await rowsOfAct(requestId)).toBe(1)
})

test('a tag is put on and taken off, and a host that has as many as it may says so', async () => {
  const ids = await makeMany('label', 3)
  await database.sql`update hosts set tags = (select array_agg('t' || n) from generate_series(1, 50) n) where id = ${ids[0] ?? ''}`
  const [put, off] = [newId(), newId()]
  await begin({ requestId: put, kind: 'addTag', tag: 'berlin', hostIds: ids })
  await finish(put)
  expect(await progress(put)).toMatchObject({ changed: 2, refused: 1, why: [{ hostId: ids[0] }] })
  expect(await listTags(database.db, ['label'])).toEqual([
    { tag: 'berlin', hosts: 2 },
    { tag: 'label', hosts: 2 },
  ])
  await begin({ requestId: off, kind: 'removeTag', tag: 'berlin', hostIds: ids })
  await finish(off)
  expect(await progress(off)).toMatchObject({ changed: 2, already: 1, refused: 0 })
})

test('an act goes no further for somebody who lost the right, the tag or the key it was begun with', async () => {
  const { db } = database
  const losses: [string, (id: string, keyId: string) => Promise<unknown>, BulkRequest['kind'], number][] = [
    ['role', id => db.update(operators).set({ role: 'viewer' }).where(eq(operators.id, id)), 'pause', 50],
    [
      'place',
      id =>
        db
          .update(operators)
          .set({ tags: ['elsewhere'] })
          .where(eq(operators.id, id)),
      'pause',
      50,
    ],
    ['account', id => db.delete(operators).where(eq(operators.id, id)), 'pause', 50],
    ['rank', id => db.update(operators).set({ role: 'operator' }).where(eq(operators.id, id)), 'addTag', 50],
    [
      'key',
      (_, key) => db.update(apiKeys).set({ revokedAt: new Date() }).where(eq(apiKeys.id, key)),
      'pause',
      50,
    ],
    ['nothing', async () => {}, 'pause', 70],
  ]
  for (const [what, lose, kind, changed] of losses) {
    const hostIds = await makeMany(`lost-${what}`, 70)
    const [id, keyId, requestId] = [newId(), newId(), newId()]
    const email = `${what}@example.org`
    await db.insert(operators).values({ id, name: what, email, role: 'admin' })
    await db.insert(apiKeys).values({ id: keyId, operatorId: id, name: what, prefix: what, hash: keyId })
    const byKey = what === 'key' || what === 'nothing'
    const actor: Actor = byKey
      ? { kind: 'api key', id: keyId, name: email }
      : { kind: 'operator', id, name: email }
    await begin(
      { requestId, kind, hostIds, ...(kind === 'addTag' ? { tag: 'new' } : {}) } as BulkRequest,
      wholeFleet,
      actor,
    )
    await workOnBulk(db, requestId, { timing, forMs: 0 })
    await lose(id, keyId)
    await finish(requestId)
    expect(await progressOf(db, requestId, actor.id ?? ''), what).toMatchObject({
      ...{ done: 70, changed, refused: 70 - changed, finishedAt: expect.any(Date) },
      why:
        changed === 70
          ? []
          : expect.arrayContaining([
              expect.objectContaining({ sentence: expect.stringContaining('any more') }),
            ]),
    })
  }
})
