// The line of a repository in a database: who is let go, who waits for whom, and what ends the waiting.
import { eq, inArray, sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { timing } from '@restic-manager/contract/timing'
import { hosts, jobs, repositories } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost } from '../testing-fleet.ts'
import { accept, end, makeVault, ordersOf, rowOf, run, type Vault } from '../testing-maintenance.ts'
import { dispatchHeld } from './dispatch.ts'
import { viewJob } from './job-views.ts'
import { cancelJob, expireJobs } from './jobs.ts'
import { viewRepository } from './repository-views.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const vault = () => makeVault(database.db, database.seal)
const prune = { kind: 'prune', spec: {} } as const
const backUp = async (host: Vault['one']) => (await host.backUp()).jobId
const runsOf = async (host: Vault['one']) =>
  (await ordersOf(database.db, database.seal, host)).flatMap(order =>
    order.order === 'command.run' ? [order.jobId] : [],
  )
const isHeld = async (jobId: string) => {
  const row = await rowOf(database.db, jobId)
  return row.status === 'queued' && row.releasedAt === null
}

test('a prune waits for the backups at work, is shown with what it waits for, and holds later backups up', async () => {
  const { one, two, keeper, repositoryId } = await vault()
  const first = await backUp(one)
  await accept(database.db, one, first)
  const pruning = await run(database.db, keeper, prune)
  const second = await backUp(two)
  expect(await runsOf(keeper)).toEqual([])
  expect(await runsOf(two)).toEqual([])
  expect(await viewJob(database.db, pruning)).toMatchObject({
    waitsFor: { jobId: first, kind: 'backup', hostName: 'one' },
  })
  expect(await viewJob(database.db, second)).toMatchObject({
    waitsFor: { jobId: pruning, kind: 'prune', hostName: 'keeper' },
  })
  expect(await viewRepository(database.db, repositoryId)).toMatchObject({
    maintenance: [{ id: pruning, waitsFor: { jobId: first } }],
  })

  await end(database.db, one, first, 'succeeded')
  expect(await runsOf(keeper)).toEqual([pruning])
  expect(await isHeld(second)).toBe(true)
  await accept(database.db, keeper, pruning)
  await end(database.db, keeper, pruning, 'succeeded')
  expect(await runsOf(two)).toEqual([second])
  expect(await viewJob(database.db, second)).toMatchObject({ waitsFor: null })
})

test('a job that is held does not expire; its time runs from when it is let go', async () => {
  const { one, keeper } = await vault()
  const first = await backUp(one)
  await accept(database.db, one, first)
  const pruning = await run(database.db, keeper, prune)
  expect(await rowOf(database.db, pruning)).toMatchObject({ expiresAt: null })
  expect(await expireJobs(database.db)).toBe(0)
  await end(database.db, one, first, 'failed')
  expect((await rowOf(database.db, pruning)).expiresAt?.getTime()).toBeGreaterThan(Date.now())
})

test('what is cancelled or expires makes room for the next', async () => {
  const { one, two, keeper } = await vault()
  const pruning = await run(database.db, keeper, prune)
  const checking = await run(database.db, keeper, { kind: 'check', spec: {} })
  const first = await backUp(one)
  await cancelJob(database.db, { jobId: pruning, requestedBy: 'anna@example.com' })
  expect(await isHeld(checking)).toBe(false)
  expect(await isHeld(first)).toBe(true)
  await database.db
    .update(jobs)
    .set({ expiresAt: new Date(0) })
    .where(eq(jobs.id, checking))
  await expireJobs(database.db)
  expect(await runsOf(one)).toEqual([first])
  expect(await runsOf(two)).toEqual([])
})

test('a held job that is cancelled does not run', async () => {
  const { one, keeper } = await vault()
  await accept(database.db, one, await backUp(one))
  const pruning = await run(database.db, keeper, prune)
  await cancelJob(database.db, { jobId: pruning, requestedBy: 'anna@example.com' })
  await dispatchHeld(database.db, timing)
  expect(await rowOf(database.db, pruning)).toMatchObject({ status: 'cancelled', releasedAt: null })
})

test('a backup that waited long enough goes, though the prune still runs', async () => {
  const { one, keeper } = await vault()
  const pruning = await run(database.db, keeper, prune)
  await accept(database.db, keeper, pruning)
  const first = await backUp(one)
  await dispatchHeld(database.db, timing)
  expect(await isHeld(first)).toBe(true)
  await dispatchHeld(database.db, { ...timing, maintenanceWait: 0 })
  expect(await runsOf(one)).toEqual([first])
})

test('a job whose time has not come is let go once it has', async () => {
  const { one } = await vault()
  const first = await backUp(one)
  await database.db
    .update(jobs)
    .set({ releasedAt: null, notBefore: new Date(Date.now() + 60_000) })
    .where(eq(jobs.id, first))
  await dispatchHeld(database.db, timing)
  expect(await runsOf(one)).toEqual([])
  await database.db
    .update(jobs)
    .set({ notBefore: new Date(Date.now() - 1) })
    .where(eq(jobs.id, first))
  await dispatchHeld(database.db, timing)
  expect(await runsOf(one)).toEqual([first])
})

test('two names of one repository share a line, and what is learned of it later counts', async () => {
  const [a, b] = [await vault(), await vault()]
  await accept(database.db, a.one, await backUp(a.one))
  const before = await run(database.db, b.keeper, prune)
  expect(await isHeld(before)).toBe(false)
  await end(database.db, b.keeper, before, 'succeeded')
  await database.db
    .update(repositories)
    .set({ resticId: 'c'.repeat(64) })
    .where(inArray(repositories.id, [a.repositoryId, b.repositoryId]))
  expect(await isHeld(await run(database.db, b.keeper, prune))).toBe(true)
})

test('an order that its host cannot have heard holds nobody up; one that it may have heard does', async () => {
  const { one, two, keeper } = await vault()
  await database.db
    .update(hosts)
    .set({ online: false, lastSeenAt: sql`now() - interval '1 hour'` })
    .where(eq(hosts.id, one.hostId))
  const unheard = await backUp(one)
  expect(await isHeld(unheard)).toBe(false)
  const first = await run(database.db, keeper, prune)
  expect(await isHeld(first)).toBe(false)
  await end(database.db, keeper, first, 'succeeded')
  await backUp(two)
  await database.db.update(hosts).set({ online: false }).where(eq(hosts.id, two.hostId))
  expect(await isHeld(await run(database.db, keeper, prune))).toBe(true)
})

test('a job lost more than a day ago is not waited for any more', async () => {
  const { one, keeper } = await vault()
  const first = await backUp(one)
  await accept(database.db, one, first)
  await database.db.update(jobs).set({ status: 'lost' }).where(eq(jobs.id, first))
  const pruning = await run(database.db, keeper, prune)
  expect(await isHeld(pruning)).toBe(true)
  await database.db
    .update(jobs)
    .set({ acceptedAt: sql`now() - interval '25 hours'` })
    .where(eq(jobs.id, first))
  await dispatchHeld(database.db, timing)
  expect(await isHeld(pruning)).toBe(false)
})

test('a backup that a host decided by itself is waited for, and never ordered', async () => {
  const { one, keeper } = await vault()
  const alone = await backUp(one)
  await database.db.update(jobs).set({ decidedBy: 'agent' }).where(eq(jobs.id, alone))
  const pruning = await run(database.db, keeper, prune)
  expect(await viewJob(database.db, pruning)).toMatchObject({ waitsFor: { jobId: alone } })
  expect(await runsOf(one)).toEqual([])
})

test('what a host claims of a repository that is none of its business holds nobody up', async () => {
  const { keeper, repositoryId } = await vault()
  const stranger = await makeHost(database.db, database.seal)
  const { jobId } = await stranger.backUp()
  await database.db
    .update(jobs)
    .set({ repositoryId, status: 'running', requestId: null, expiresAt: null })
    .where(eq(jobs.id, jobId))
  expect(await isHeld(await run(database.db, keeper, prune))).toBe(false)
})

test('many hosts that queue and end at once never put two beside a prune, and nothing stays behind', async () => {
  const { one, two, keeper, repositoryId } = await vault()
  const work = async (host: Vault['one'], make: () => Promise<string>) => {
    for (let round = 0; round < 4; round += 1) {
      const jobId = await make()
      for (;;) {
        if (!(await isHeld(jobId))) break
        await dispatchHeld(database.db, timing)
      }
      const [beside] = await database.sql`
        select count(*) filter (where kind = 'prune') as prunes, count(*) filter (where kind = 'backup') as backups
        from jobs where repository_id = ${repositoryId} and status in ('queued', 'accepted', 'running') and released_at is not null`
      const [prunes, backups] = [Number(beside?.['prunes']), Number(beside?.['backups'])]
      expect(prunes === 0 || (prunes === 1 && backups === 0), `${prunes} prunes, ${backups} backups`).toBe(
        true,
      )
      await end(database.db, host, jobId, 'succeeded')
    }
  }
  await Promise.all([
    work(one, () => backUp(one)),
    work(two, () => backUp(two)),
    work(keeper, () => run(database.db, keeper, prune)),
  ])
  const open = await database.db.select().from(jobs).where(eq(jobs.repositoryId, repositoryId))
  expect(open.filter(job => job.status !== 'succeeded')).toEqual([])
})
