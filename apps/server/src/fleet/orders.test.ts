// Orders: everything a host has to be told reaches it, once for each connection, until it has answered.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AgentOrder } from '@restic-manager/contract/agent'
import { hosts, jobs } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { connectMachine, makeHost, type TestHost } from '../testing-fleet.ts'
import { ackConfiguration } from './configuration.ts'
import { viewHost } from './host-views.ts'
import { answerCommand, finishJob } from './job-reports.ts'
import { cancelJob, expireJobs } from './jobs.ts'
import { nextOrders, nothingSent, type Sent } from './orders.ts'
import { updateRepository } from './repositories.ts'
import { viewRepository } from './repository-views.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const told = async (host: TestHost, sent: Sent) => {
  const orders: AgentOrder[] = []
  for (;;) {
    const batch = await nextOrders(database.db, database.seal, host.sender, sent)
    if (batch.length === 0) return orders
    orders.push(...batch.map(order => AgentOrder.parse(order)))
  }
}
const header = (host: TestHost, jobId: string) => ({
  ...host.fact('first'),
  jobId,
  kind: 'backup',
  repositoryId: host.repositoryId,
})

test('a connection hears the configuration first, with opened secrets, then queued jobs, oldest first', async () => {
  const host = await makeHost(database.db, database.seal)
  const first = await host.backUp()
  const second = await host.backUp()
  const orders = await told(host, nothingSent())
  expect(orders).toMatchObject([
    {
      order: 'config.update',
      repositories: [{ repositoryId: host.repositoryId, password: expect.stringMatching(/^[\w-]{43}$/) }],
    },
    { order: 'command.run', jobId: first.jobId, kind: 'backup', spec: { paths: ['/srv'] } },
    { order: 'command.run', jobId: second.jobId },
  ])
})

test('nothing is said twice on one connection, and all of it again on the next until it is answered', async () => {
  const host = await makeHost(database.db, database.seal)
  const { jobId } = await host.backUp()
  const sent = nothingSent()
  expect(await told(host, sent)).toHaveLength(2)
  expect(await told(host, sent)).toHaveLength(0)
  expect(await told(host, nothingSent())).toHaveLength(2)
  await answerCommand(database.db, host.sender, { ...header(host, jobId), accepted: true })
  expect(await told(host, nothingSent())).toMatchObject([{ order: 'config.update' }])
})

test('a long queue arrives whole and in order', async () => {
  const host = await makeHost(database.db, database.seal)
  const made: string[] = []
  for (let count = 0; count < 120; count += 1) made.push((await host.backUp()).jobId)
  const runs = (await told(host, nothingSent())).flatMap(order =>
    order.order === 'command.run' ? [order.jobId] : [],
  )
  expect(runs).toEqual(made)
})

test('a changed repository is sent in full with a higher version, and its ack is shown', async () => {
  const host = await makeHost(database.db, database.seal)
  const sent = nothingSent()
  const [before] = await told(host, sent)
  const view = await viewRepository(database.db, host.repositoryId)
  await updateRepository(database.db, database.seal, {
    repositoryId: host.repositoryId,
    version: view.version,
    name: view.name,
    url: view.url,
    mayDelete: false,
    hostIds: [host.hostId],
    password: 'another',
  })
  const [after] = await told(host, sent)
  if (before?.order !== 'config.update' || after?.order !== 'config.update')
    throw new Error('no configuration came')
  expect(after.version).toBeGreaterThan(before.version)
  expect(after.repositories).toMatchObject([{ password: 'another', mayDelete: false }])
  await ackConfiguration(database.db, host.sender, {
    version: after.version,
    appliedAt: '2026-11-23T07:00:00.000Z',
  })
  expect(await viewHost(database.db, host.hostId)).toMatchObject({
    configVersion: after.version,
    appliedConfigVersion: after.version,
  })
  // A call that was given up at the host may still be under way when the next one is answered.
  await ackConfiguration(database.db, host.sender, {
    version: before.version,
    appliedAt: '2026-11-23T06:00:00.000Z',
  })
  expect(await viewHost(database.db, host.hostId)).toMatchObject({ appliedConfigVersion: after.version })
})

test('a cancel names its job, also one that was never accepted, on every connection until the agent has ended it', async () => {
  const host = await makeHost(database.db, database.seal)
  const { jobId } = await host.backUp()
  await cancelJob(database.db, { jobId, requestedBy: 'anna@example.com' })
  for (let connection = 0; connection < 2; connection += 1)
    expect(await told(host, nothingSent())).toMatchObject([
      { order: 'config.update' },
      { order: 'command.cancel', jobId, kind: 'backup', repositoryId: host.repositoryId },
    ])
  await finishJob(database.db, host.sender, {
    ...host.fact(),
    jobId,
    kind: 'backup',
    repositoryId: host.repositoryId,
    status: 'cancelled',
    finishedAt: '2026-11-23T07:00:00.000Z',
    warnings: [],
    lastLogSeq: -1,
  })
  expect(await told(host, nothingSent())).toHaveLength(1)
})

test('an expired job is not ordered any more', async () => {
  const host = await makeHost(database.db, database.seal)
  const { jobId } = await host.backUp()
  await database.db
    .update(jobs)
    .set({ expiresAt: new Date(0) })
    .where(eq(jobs.id, jobId))
  await expireJobs(database.db)
  expect(await told(host, nothingSent())).toMatchObject([{ order: 'config.update' }])
})

test('an older session is told nothing', async () => {
  const host = await makeHost(database.db, database.seal)
  await connectMachine(database.db, host.machine)
  await expect(nextOrders(database.db, database.seal, host.sender, nothingSent())).rejects.toMatchObject({
    code: 'session_fenced',
  })
})

test('a job whose time has passed is not ordered, even before anybody has written it down as expired', async () => {
  const host = await makeHost(database.db, database.seal)
  const { jobId } = await host.backUp()
  await database.db
    .update(jobs)
    .set({ expiresAt: new Date(Date.now() - 1_000) })
    .where(eq(jobs.id, jobId))
  expect(await told(host, nothingSent())).toMatchObject([{ order: 'config.update' }])
})

test('an agent older than the release is told of it once on each connection, and nobody else', async () => {
  const release = { version: '0.2.0', packageUrl: 'https://packages.example.org' }
  const host = await makeHost(database.db, database.seal)
  const hear = async (sent: Sent, of = release) => {
    const orders = await nextOrders(database.db, database.seal, host.sender, sent, of)
    return orders.filter(order => order.order === 'agent.updateAvailable')
  }
  const sent = nothingSent()
  expect(await hear(sent)).toEqual([
    { order: 'agent.updateAvailable', latestVersion: '0.2.0', packageUrl: release.packageUrl },
  ])
  expect(await hear(sent)).toEqual([])
  expect(await hear(nothingSent())).toHaveLength(1)
  expect(await hear(nothingSent(), { ...release, version: '0.1.0' })).toEqual([])
})

test('the shell for hooks reaches the host with its configuration', async () => {
  const host = await makeHost(database.db, database.seal)
  await database.db.update(hosts).set({ hookShell: '/bin/bash' }).where(eq(hosts.id, host.hostId))
  expect(await told(host, nothingSent())).toMatchObject([{ order: 'config.update', hookShell: '/bin/bash' }])
})

test('a job is not ordered while it is held back, before its time, or when its host decided it alone', async () => {
  const host = await makeHost(database.db, database.seal)
  const states = [
    { releasedAt: null },
    { notBefore: new Date(Date.now() + 60_000) },
    { decidedBy: 'agent' as const },
  ]
  const made = await Promise.all(states.map(() => host.backUp()))
  for (const [at, { jobId }] of made.entries())
    await database.db
      .update(jobs)
      .set(states[at] ?? {})
      .where(eq(jobs.id, jobId))
  expect(await told(host, nothingSent())).toMatchObject([{ order: 'config.update' }])
})
