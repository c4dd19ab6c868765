// What one compromised host may say without harm to the others, and what it may not make an operator believe.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AgentHello } from '@restic-manager/contract/agent'
import { newId } from '@restic-manager/contract/ids'
import { JobFinished } from '@restic-manager/contract/job'
import { timing } from '@restic-manager/contract/timing'
import { hosts } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { asAnna, helloOf, makeHost, quiet, type TestHost } from '../testing-fleet.ts'
import { fire, fireOf, hoursAgo, planOn, tellNotRun } from '../testing-schedules.ts'
import { greetAgent } from './hello.ts'
import { removeHost } from './hosts.ts'
import { finishJob, startJob } from './job-reports.ts'
import { viewJob } from './job-views.ts'
import { runJob } from './jobs.ts'
import { createPresence } from './presence.ts'
import { removeRepository, updateRepository } from './repositories.ts'
import { viewRepository } from './repository-views.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const newHost = () => makeHost(database.db, database.seal)
const rowOf = async (hostId: string) =>
  (await database.db.select().from(hosts).where(eq(hosts.id, hostId)))[0]
const started = (from: TestHost, jobId: string, repositoryId: string) => ({
  ...from.fact(),
  jobId,
  kind: 'backup' as const,
  repositoryId,
  startedAt: new Date().toISOString(),
  command: 'restic backup',
  resticVersion: '0.18.0',
})
const finished = (from: TestHost, jobId: string, repositoryId: string, over: Partial<JobFinished> = {}) => ({
  ...from.fact(),
  jobId,
  kind: 'backup' as const,
  repositoryId,
  status: 'succeeded' as const,
  finishedAt: new Date().toISOString(),
  warnings: [],
  lastLogSeq: -1,
  ...over,
})

test('an absurd number in one heartbeat keeps nobody from being heard', async () => {
  const [liar, honest] = [await newHost(), await newHost()]
  await database.db.update(hosts).set({ online: false }).where(eq(hosts.id, honest.hostId))
  const presence = createPresence()
  const absurd = { facts: Number.MAX_SAFE_INTEGER, logBytes: Number.MAX_SAFE_INTEGER }
  presence.heard(liar.sender, { spool: absurd, skewMs: Number.MAX_VALUE })
  presence.heard(honest.sender, { spool: { facts: 3, logBytes: 0 }, skewMs: 0 })
  await presence.flush(database.db)
  expect(await rowOf(honest.hostId)).toMatchObject({ online: true, spoolFacts: 3 })
  expect(await rowOf(liar.hostId)).toMatchObject({ online: true })
})

test('an absurd configuration version leaves the host removable and its repositories editable', async () => {
  const liar = await newHost()
  const hello = (appliedConfigVersion: number) =>
    greetAgent(database.db, liar.sender, helloOf({ appliedConfigVersion, spoolEpoch: newId() }), {
      serverVersion: '0.1.0',
      timing,
      log: quiet,
    })
  for (const version of [2_000_000_000, 1_000_000_000]) await hello(version)
  expect(AgentHello.safeParse(helloOf({ appliedConfigVersion: 2_147_483_647 })).success).toBe(false)
  const { version, name, url, mayDelete } = await viewRepository(database.db, liar.repositoryId)
  const edit = { repositoryId: liar.repositoryId, version, name, url, mayDelete, hostIds: [liar.hostId] }
  await updateRepository(database.db, database.seal, edit)
  const { name: confirmName = '' } = (await rowOf(liar.hostId)) ?? {}
  await removeHost(database.db, { hostId: liar.hostId, confirmName })
})

test('jobs that a host makes up on a repository it has no access to say nothing about that repository', async () => {
  const [liar, owner] = [await newHost(), await newHost()]
  const { repositoryId } = owner
  await finishJob(database.db, liar.sender, finished(liar, newId(), repositoryId))
  expect(await viewRepository(database.db, repositoryId)).toMatchObject({ lastBackupAt: null })

  await startJob(database.db, liar.sender, started(liar, newId(), repositoryId))
  const unlock = { requestId: newId(), hostId: owner.hostId, repositoryId, kind: 'unlock', spec: {} } as const
  const { jobId } = await runJob(database.db, unlock, asAnna)
  await finishJob(database.db, owner.sender, { ...finished(owner, jobId, repositoryId), kind: 'unlock' })
  const { name: confirmName } = await viewRepository(database.db, repositoryId)
  await removeRepository(database.db, { repositoryId, confirmName })
})

test('slots that a host claims to run on a repository it has no access to neither hold it nor say anything about it', async () => {
  const [liar, owner] = [await newHost(), await newHost()]
  const { repositoryId } = owner
  const scheduleId = await planOn(database.db, liar)
  await fire(database.db, liar, fireOf(liar, scheduleId, hoursAgo(0), [repositoryId]))
  await tellNotRun(database.db, liar, {
    scheduleId,
    from: hoursAgo(9),
    to: hoursAgo(5),
    count: 5,
    repositoryIds: [repositoryId],
  })
  const view = await viewRepository(database.db, repositoryId)
  expect(view).toMatchObject({ lastBackupAt: null, maintenance: [] })
  await removeRepository(database.db, { repositoryId, confirmName: view.name })
})

test('a clock that runs years ahead does not make a host look backed up until then', async () => {
  const host = await newHost()
  const { jobId } = await host.backUp()
  const finishedAt = new Date(Date.now() + 20 * 365 * 86_400_000).toISOString()
  await finishJob(database.db, host.sender, finished(host, jobId, host.repositoryId, { finishedAt }))
  const soon = Date.now() + 60_000
  expect((await rowOf(host.hostId))?.lastGoodBackupAt?.getTime()).toBeLessThan(soon)
  expect((await viewJob(database.db, jobId)).finishedAt?.getTime()).toBeLessThan(soon)
  expect((await viewRepository(database.db, host.repositoryId)).lastBackupAt?.getTime()).toBeLessThan(soon)
})

test('the exit codes of Windows, which count to 32 bits, are kept', async () => {
  const host = await newHost()
  const { jobId } = await host.backUp()
  const end = finished(host, jobId, host.repositoryId, { status: 'failed', exitCode: 0xc000_013a })
  await finishJob(database.db, host.sender, JobFinished.parse(end))
  expect(await viewJob(database.db, jobId)).toMatchObject({ status: 'failed', exitCode: 0xc000_013a })
})
