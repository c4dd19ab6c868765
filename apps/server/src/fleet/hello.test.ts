// Hello: what both ends agree on after a break, and after a database that went back in time.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { timing } from '@restic-manager/contract/timing'
import type { HostSession } from '../context.ts'
import { hosts, jobs } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { connectMachine, enrolMachine, helloOf, makeHost, quiet } from '../testing-fleet.ts'
import { fire, fireOf, hoursAgo, idOf, planOn } from '../testing-schedules.ts'
import { greetAgent } from './hello.ts'
import { viewHost } from './host-views.ts'
import { viewJob } from './job-views.ts'
import { cancelJob, expireJobs, loseSilentJobs } from './jobs.ts'
import { nextOrders, nothingSent } from './orders.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const greet = (sender: HostSession, over: Parameters<typeof helloOf>[0] = {}) =>
  greetAgent(database.db, sender, helloOf(over), { serverVersion: '0.1.0', timing, log: quiet })

test('a host that says hello is online, with what it said of itself', async () => {
  const machine = await enrolMachine(database.db, 'web-7')
  await connectMachine(database.db, machine, { resticVersion: null, timeZone: 'Asia/Tokyo' })
  expect(await viewHost(database.db, machine.hostId)).toMatchObject({
    name: 'web-7',
    state: 'online',
    os: 'linux',
    resticVersion: null,
    timeZone: 'Asia/Tokyo',
    lastJob: null,
    suggestedBackup: null,
  })
})

test.each([
  [0, 'Upgrade the agent'],
  [99, 'Upgrade the server'],
])('protocol %i is refused with a sentence that says what to upgrade', async (protocolVersion, advice) => {
  const sender = await connectMachine(database.db, await enrolMachine(database.db))
  await expect(greet(sender, { protocolVersion })).rejects.toMatchObject({
    code: 'protocol_mismatch',
    message: expect.stringContaining(advice),
  })
})

test('a job under way here and unknown there is lost for now; one the agent lists is not', async () => {
  const host = await makeHost(database.db, database.seal)
  const made = await Promise.all([host.backUp(), host.backUp(), host.backUp(), host.backUp()])
  const [gone, running, ended, queued] = made.map(job => job.jobId) as [string, string, string, string]
  const set = (id: string, status: 'accepted' | 'running') =>
    database.db.update(jobs).set({ status }).where(eq(jobs.id, id))
  await set(gone, 'accepted')
  await set(running, 'running')
  await set(ended, 'running')
  await greet(host.sender, {
    knownJobs: [
      { jobId: running, status: 'running' },
      { jobId: ended, status: 'succeeded' },
    ],
  })
  expect(await viewJob(database.db, gone)).toMatchObject({
    status: 'lost',
    reason: 'agent_lost_it',
    provisional: true,
  })
  expect(await viewJob(database.db, running)).toMatchObject({ status: 'running' })
  expect(await viewJob(database.db, ended)).toMatchObject({ status: 'running' })
  expect(await viewJob(database.db, queued)).toMatchObject({ status: 'queued' })

  await greet(host.sender, { knownJobs: [{ jobId: gone, status: 'running' }] })
  expect(await viewJob(database.db, gone)).toMatchObject({ status: 'running', reason: null })
})

test('a list that may have been cut proves nothing lost', async () => {
  const host = await makeHost(database.db, database.seal)
  const { jobId } = await host.backUp()
  await database.db.update(jobs).set({ status: 'running' }).where(eq(jobs.id, jobId))
  await greet(host.sender, {
    knownJobs: Array.from({ length: 1_000 }, () => ({ jobId: newId(), status: 'running' as const })),
  })
  expect(await viewJob(database.db, jobId)).toMatchObject({ status: 'running' })
})

test('after an older dump the configuration version is raised past what the host has applied', async () => {
  const host = await makeHost(database.db, database.seal)
  await greet(host.sender, { appliedConfigVersion: 40 })
  const [row] = await database.db.select().from(hosts).where(eq(hosts.id, host.hostId))
  expect(row).toMatchObject({ configVersion: 41, appliedConfigVersion: 40 })
  const [config] = await nextOrders(database.db, database.seal, host.sender, nothingSent())
  expect(config).toMatchObject({ order: 'config.update', version: 41 })
})

test('a new spool begins at nothing, and each spool keeps its own count', async () => {
  const host = await makeHost(database.db, database.seal)
  const other = newId()
  expect((await greet(host.sender, { spoolEpoch: other })).ackedSeq).toEqual({ first: 0, rest: 0 })
})

test('a job on a host that is silent for a day is lost for now, and found again when the host returns', async () => {
  const { db } = database
  const host = await makeHost(db, database.seal)
  const { jobId } = await host.backUp()
  await db.update(jobs).set({ status: 'running' }).where(eq(jobs.id, jobId))
  const silentSince = (hours: number) =>
    db
      .update(hosts)
      .set({ online: false, lastSeenAt: new Date(Date.now() - hours * 3_600_000) })
      .where(eq(hosts.id, host.hostId))
  await silentSince(23)
  expect(await loseSilentJobs(db, timing.lostAfter)).toBe(0)
  await silentSince(25)
  const swept = await Promise.all([
    loseSilentJobs(db, timing.lostAfter),
    loseSilentJobs(db, timing.lostAfter),
  ])
  expect(swept.toSorted()).toEqual([0, 1])
  expect(await viewJob(db, jobId)).toMatchObject({ status: 'lost', reason: 'host_silent', provisional: true })
  await greet(host.sender, { knownJobs: [{ jobId, status: 'running' }] })
  expect(await viewJob(db, jobId)).toMatchObject({ status: 'running', reason: null })
})

test('a job that waits here and that the agent has taken on meanwhile is under way, and no newer slot takes its place', async () => {
  const host = await makeHost(database.db, database.seal)
  const scheduleId = await planOn(database.db, host, { overlap: 'queue', since: hoursAgo(5) })
  const older = idOf(host, scheduleId, hoursAgo(2))
  await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(2)))
  await greet(host.sender, { knownJobs: [{ jobId: older, status: 'running' }] })
  await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(1)))
  expect(await viewJob(database.db, older)).toMatchObject({ status: 'running' })
  const orders = await nextOrders(database.db, database.seal, host.sender, nothingSent())
  expect(orders.filter(({ order }) => order === 'command.cancel')).toEqual([])
})

test('a cancel that an operator wished stands, also for a job the agent has taken on meanwhile', async () => {
  const host = await makeHost(database.db, database.seal)
  const { jobId } = await host.backUp()
  await cancelJob(database.db, { jobId, requestedBy: 'anna@example.com' })
  await greet(host.sender, { knownJobs: [{ jobId, status: 'accepted' }] })
  expect(await viewJob(database.db, jobId)).toMatchObject({ status: 'cancelled' })
  const orders = await nextOrders(database.db, database.seal, host.sender, nothingSent())
  expect(orders.filter(({ order }) => order === 'command.cancel')).toMatchObject([{ jobId }])
})

test('a slot that expired here while its host ran it by itself is not stopped', async () => {
  const host = await makeHost(database.db, database.seal)
  const scheduleId = await planOn(database.db, host, { since: hoursAgo(9) })
  const jobId = idOf(host, scheduleId, hoursAgo(8))
  await fire(database.db, host, fireOf(host, scheduleId, hoursAgo(8)))
  await database.db
    .update(jobs)
    .set({ expiresAt: new Date(0) })
    .where(eq(jobs.id, jobId))
  await expireJobs(database.db)
  await greet(host.sender, { knownJobs: [{ jobId, status: 'running' }] })
  expect(await viewJob(database.db, jobId)).toMatchObject({ status: 'running', reason: null })
  const orders = await nextOrders(database.db, database.seal, host.sender, nothingSent())
  expect(orders.filter(({ order }) => order === 'command.cancel')).toEqual([])
})
