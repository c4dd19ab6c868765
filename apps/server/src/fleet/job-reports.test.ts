// What agents report of jobs: twice is once, an end is final, a guess gives way, and nobody speaks for another host.
import { eq, sql } from 'drizzle-orm'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { EndStatus, type JobStatus, nextStatuses, provisionalStatuses } from '@restic-manager/contract/job'
import { Refusal } from '@restic-manager/contract/refusal'
import { timing } from '@restic-manager/contract/timing'
import { hosts, jobs } from '../db/schema.ts'
import { spools } from '../db/schema-sessions.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { asAnna, connectMachine, helloOf, makeHost, quiet, type TestHost } from '../testing-fleet.ts'
import { countForeignIds } from './foreign-ids.ts'
import { greetAgent } from './hello.ts'
import { jobProgress } from '../db/schema-logs.ts'
import { keepProgress } from './job-progress.ts'
import { answerCommand, finishJob, startJob } from './job-reports.ts'
import { liveJob, viewJob } from './job-views.ts'
import { cancelJob, expireJobs, runJob } from './jobs.ts'

let database: TestDatabase
let host: TestHost
beforeAll(async () => {
  database = await testDatabase()
  host = await makeHost(database.db, database.seal)
})
afterAll(() => database.close())

const header = (jobId: string, of: TestHost = host) =>
  ({ jobId, kind: 'backup', repositoryId: of.repositoryId }) as const
const result = (jobId: string, accepted = true, of: TestHost = host) => ({
  ...of.fact('first'),
  ...header(jobId, of),
  accepted,
})
const started = (jobId: string, of: TestHost = host) => ({
  ...of.fact(),
  ...header(jobId, of),
  startedAt: '2026-11-23T07:00:00.000Z',
  command: 'restic backup --json',
  resticVersion: '0.18.0',
})
const finished = (jobId: string, status: EndStatus = 'succeeded', of: TestHost = host) => ({
  ...of.fact(),
  ...header(jobId, of),
  status,
  exitCode: 0,
  finishedAt: '2026-11-23T07:10:00.000Z',
  stats: { total_bytes_processed: 42 },
  warnings: [],
  lastLogSeq: -1,
})
const progress = (jobId: string) => ({
  jobId,
  phase: 'running' as const,
  percentDone: 0.5,
  filesDone: 1,
  totalFiles: 2,
  bytesDone: 1,
  totalBytes: 2,
  throughputBps: 1,
})
const row = async (jobId: string) => {
  const [job] = await database.db.select().from(jobs).where(eq(jobs.id, jobId))
  if (job === undefined) throw new Error('no such job')
  return job
}
const cancel = (jobId: string) => cancelJob(database.db, { jobId, requestedBy: 'anna@example.com' })

test('a job goes from queued to accepted to running to its end, with the true times', async () => {
  const { jobId } = await host.backUp()
  expect(await answerCommand(database.db, host.sender, result(jobId))).toMatchObject({ proceed: true })
  expect((await row(jobId)).status).toBe('accepted')
  await startJob(database.db, host.sender, started(jobId))
  await keepProgress(database.db, host.sender, progress(jobId))
  expect(await liveJob(database.db, jobId)).toMatchObject({
    status: 'running',
    progress: { percentDone: 0.5 },
  })
  await finishJob(database.db, host.sender, finished(jobId))
  expect(await viewJob(database.db, jobId)).toMatchObject({
    status: 'succeeded',
    provisional: false,
    startedAt: new Date('2026-11-23T07:00:00.000Z'),
    finishedAt: new Date('2026-11-23T07:10:00.000Z'),
    bytesProcessed: 42,
    progress: null,
  })
})

test('an answer that got lost is given again, whatever happened in between', async () => {
  const { jobId } = await host.backUp()
  const said = result(jobId)
  const first = await answerCommand(database.db, host.sender, said)
  await cancel(jobId)
  expect(await answerCommand(database.db, host.sender, said)).toEqual(first)
  expect(first.proceed).toBe(true)
})

test('a job cancelled before the agent took it is not to be run, and says so every time', async () => {
  const { jobId } = await host.backUp()
  await cancel(jobId)
  expect(await viewJob(database.db, jobId)).toMatchObject({ status: 'cancelled', provisional: true })
  for (let times = 0; times < 2; times += 1)
    expect(await answerCommand(database.db, host.sender, result(jobId))).toMatchObject({ proceed: false })
  await finishJob(database.db, host.sender, finished(jobId, 'cancelled'))
  expect(await viewJob(database.db, jobId)).toMatchObject({ status: 'cancelled', provisional: false })
})

test('a job the agent will not run has failed, with its reason', async () => {
  const { jobId } = await host.backUp()
  const refused = { ...result(jobId, false), reason: 'unsupported' }
  expect(await answerCommand(database.db, host.sender, refused)).toMatchObject({ proceed: false })
  expect(await viewJob(database.db, jobId)).toMatchObject({
    status: 'failed',
    reason: 'unsupported',
    provisional: false,
  })
})

test('a cancelled job refused from memory ends cancelled, not failed', async () => {
  const { jobId } = await host.backUp()
  await answerCommand(database.db, host.sender, { ...result(jobId, false), reason: 'cancelled_by_operator' })
  await finishJob(database.db, host.sender, finished(jobId, 'cancelled'))
  expect(await row(jobId)).toMatchObject({ status: 'cancelled', reported: true })
})

test('every fact delivered twice changes nothing the second time', async () => {
  const { jobId } = await host.backUp()
  const facts = { result: result(jobId), started: started(jobId), finished: finished(jobId, 'incomplete') }
  const tellAll = async () => {
    await answerCommand(database.db, host.sender, facts.result)
    await startJob(database.db, host.sender, facts.started)
    return finishJob(database.db, host.sender, facts.finished)
  }
  await tellAll()
  const before = await row(jobId)
  expect(await tellAll()).toEqual({ seq: facts.finished.seq })
  expect(await row(jobId)).toEqual(before)
})

test('an acknowledged fact is committed, and hello says how far', async () => {
  const { jobId } = await host.backUp()
  const first = result(jobId)
  const rest = started(jobId)
  await answerCommand(database.db, host.sender, first)
  await startJob(database.db, host.sender, rest)
  const welcome = await greetAgent(
    database.db,
    host.sender,
    helloOf({ spoolEpoch: host.sender.spoolEpoch, knownJobs: [{ jobId, status: 'running' }] }),
    { serverVersion: '0.1.0', timing, log: quiet },
  )
  expect(welcome.ackedSeq).toEqual({ first: first.seq, rest: rest.seq })
})

test('a late repeat never takes an ack back', async () => {
  const { jobId } = await host.backUp()
  const early = started(jobId)
  await finishJob(database.db, host.sender, finished(jobId))
  await startJob(database.db, host.sender, early)
  const [spool] = await database.db.select().from(spools).where(eq(spools.epoch, host.sender.spoolEpoch))
  expect(spool?.ackedRest).toBeGreaterThan(early.seq)
  expect((await row(jobId)).status).toBe('succeeded')
})

test('a job that hello called running before its start was told still gets its times and its command', async () => {
  const { jobId } = await host.backUp()
  const knownJobs = [{ jobId, status: 'running' as const }]
  const context = { serverVersion: '0.1.0', timing, log: quiet }
  await greetAgent(database.db, host.sender, helloOf({ knownJobs }), context)
  expect(await row(jobId)).toMatchObject({ status: 'running', startedAt: null })
  await startJob(database.db, host.sender, started(jobId))
  const told = { startedAt: new Date('2026-11-23T07:00:00.000Z'), command: 'restic backup --json' }
  expect(await row(jobId)).toMatchObject({ status: 'running', ...told })
  await finishJob(database.db, host.sender, finished(jobId))
  await startJob(database.db, host.sender, started(jobId))
  expect(await row(jobId)).toMatchObject({ status: 'succeeded', ...told })
})

test('a job this server never heard of becomes a row of the sender, with its true times', async () => {
  const jobId = newId()
  await startJob(database.db, host.sender, started(jobId))
  await finishJob(database.db, host.sender, finished(jobId))
  expect(await row(jobId)).toMatchObject({
    hostId: host.hostId,
    status: 'succeeded',
    createdAt: new Date('2026-11-23T07:00:00.000Z'),
    requestId: null,
  })
})

test('a fact about a repository that is gone is kept', async () => {
  const jobId = newId()
  await finishJob(database.db, host.sender, { ...finished(jobId), repositoryId: newId() })
  expect(await viewJob(database.db, jobId)).toMatchObject({ status: 'succeeded', repositoryName: null })
})

describe('what the server only guessed gives way to a fact', () => {
  test.each(provisionalStatuses)('%s', async status => {
    for (const fact of ['started', 'finished'] as const) {
      const { jobId } = await host.backUp()
      await database.db.update(jobs).set({ status }).where(eq(jobs.id, jobId))
      if (fact === 'started') await startJob(database.db, host.sender, started(jobId))
      else await finishJob(database.db, host.sender, finished(jobId, 'failed'))
      expect((await row(jobId)).status).toBe(fact === 'started' ? 'running' : 'failed')
    }
  })
})

describe('another host', () => {
  test('cannot answer for, start, move or end a job that is not its own, and each try is counted', async () => {
    const other = await makeHost(database.db, database.seal, 'evil-1')
    const { jobId } = await host.backUp()
    const before = await row(jobId)
    const tries: (() => Promise<unknown>)[] = [
      () => answerCommand(database.db, other.sender, result(jobId, true, other)),
      () => answerCommand(database.db, other.sender, result(jobId, false, other)),
      () => startJob(database.db, other.sender, started(jobId, other)),
      () => keepProgress(database.db, other.sender, progress(jobId)),
      () => finishJob(database.db, other.sender, finished(jobId, 'failed', other)),
    ]
    for (const forge of tries) {
      const counted = countForeignIds({ db: database.db, host: other.sender, log: quiet }, jobId, forge)
      await expect(counted).rejects.toMatchObject({ code: 'job_not_found' })
    }
    expect(await row(jobId)).toEqual(before)
    const [evil] = await database.db.select().from(hosts).where(eq(hosts.id, other.hostId))
    expect(evil?.foreignIdCount).toBe(tries.length)
    const acked = await database.db.select().from(spools).where(eq(spools.hostId, other.hostId))
    expect(acked).toMatchObject([{ ackedFirst: 0, ackedRest: 0 }])
  })

  test('cannot be given rows of a job by the database either', async () => {
    const other = await makeHost(database.db, database.seal, 'evil-2')
    const { jobId } = await host.backUp()
    const forged = database.sql`insert into job_progress (job_id, host_id, progress) values (${jobId}, ${other.hostId}, '{}')`
    await expect(forged).rejects.toMatchObject({ code: '23503' })
  })
})

test('a session that was followed by a newer one changes nothing', async () => {
  const fresh = await makeHost(database.db, database.seal, 'fence-1')
  const { jobId } = await fresh.backUp()
  await connectMachine(database.db, fresh.machine)
  const old = fresh.sender
  for (const late of [
    () => answerCommand(database.db, old, result(jobId, true, fresh)),
    () => startJob(database.db, old, started(jobId, fresh)),
    () => finishJob(database.db, old, finished(jobId, 'failed', fresh)),
    () => keepProgress(database.db, old, progress(jobId)),
  ])
    await expect(late()).rejects.toMatchObject({ code: 'session_fenced' })
  expect((await row(jobId)).status).toBe('queued')
})

test('where jobs stand is never kept behind their ends, however both come together', async () => {
  const ending = await Promise.all(
    Array.from({ length: 40 }, (_, at) => makeHost(database.db, database.seal, `race-${at}`)),
  )
  for (let round = 0; round < 5; round += 1) {
    const running = await Promise.all(
      ending.map(async each => ({ each, jobId: (await each.backUp()).jobId })),
    )
    await Promise.all(
      running.map(({ each, jobId }) => startJob(database.db, each.sender, started(jobId, each))),
    )
    await Promise.all(
      running.flatMap(({ each, jobId }) => [
        keepProgress(database.db, each.sender, progress(jobId)),
        finishJob(database.db, each.sender, finished(jobId, 'succeeded', each)),
      ]),
    )
    const left = await database.db.select({ jobId: jobProgress.jobId }).from(jobProgress)
    expect(left.filter(({ jobId }) => running.some(job => job.jobId === jobId))).toEqual([])
  }
})

test('a cancel that races with the end leaves one ending, the one the agent reported', async () => {
  for (let round = 0; round < 16; round += 1) {
    const { jobId } = await host.backUp()
    await answerCommand(database.db, host.sender, result(jobId))
    await startJob(database.db, host.sender, started(jobId))
    const end = round % 2 === 0 ? ('succeeded' as const) : ('cancelled' as const)
    const report = finished(jobId, end)
    const race: (() => Promise<unknown>)[] = [
      () => finishJob(database.db, host.sender, report),
      () => finishJob(database.db, host.sender, report),
      () => cancel(jobId),
    ]
    if (round % 4 < 2) race.reverse()
    const outcomes = await Promise.allSettled(race.map(run => run()))
    const refusals = outcomes.flatMap(outcome => (outcome.status === 'rejected' ? [outcome.reason.code] : []))
    expect(['', 'job_ended']).toContain(refusals.join())
    expect(await row(jobId)).toMatchObject({ status: end, reported: true })
  }
})

test('a cancel that races with the acceptance is either answered with a stop or ordered', async () => {
  for (let round = 0; round < 16; round += 1) {
    const { jobId } = await host.backUp()
    const [answer] = await Promise.all([
      answerCommand(database.db, host.sender, result(jobId)),
      cancel(jobId),
    ])
    expect(await row(jobId)).toMatchObject({
      status: answer.proceed ? 'accepted' : 'cancelled',
      cancelRequestedAt: expect.any(Date),
      reported: false,
    })
  }
})

test('a job nobody claimed in time expires, and comes to nothing when its host returns', async () => {
  const { jobId } = await host.backUp()
  await database.db
    .update(jobs)
    .set({ expiresAt: sql`now() - interval '1 minute'` })
    .where(eq(jobs.id, jobId))
  await Promise.all([expireJobs(database.db), expireJobs(database.db)])
  expect(await viewJob(database.db, jobId)).toMatchObject({
    status: 'expired',
    reason: 'not_claimed',
    provisional: true,
  })
  expect(await answerCommand(database.db, host.sender, result(jobId))).toMatchObject({ proceed: false })
})

/** Anything that may happen to a job, in any order. */
const events = [
  'accept',
  'refuse',
  'start',
  'succeed',
  'fail',
  'end cancelled',
  'cancel',
  'expire',
  'forget',
  'remember',
] as const

test('whatever happens in whatever order, statuses follow the table and a reported end is never left', async () => {
  const allowed = (from: JobStatus, to: JobStatus) =>
    from === to ||
    (nextStatuses[from] as readonly JobStatus[]).includes(to) ||
    // A cancel that nobody has answered is only our wish.
    (from === 'cancelled' && (nextStatuses.running as readonly JobStatus[]).concat('running').includes(to))
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...events), { minLength: 1, maxLength: 7 }), async history => {
      const { jobId } = await host.backUp()
      const wrong: string[] = []
      let before = await row(jobId)
      for (const event of history) {
        const refused = await happen(event, jobId).then(
          () => undefined,
          (error: unknown) => error,
        )
        const now = await row(jobId)
        const step = `${event}: ${before.status} to ${now.status}`
        if (refused !== undefined && !(refused instanceof Refusal && refused.code === 'job_ended'))
          wrong.push(`${event} failed`)
        if (!allowed(before.status, now.status)) wrong.push(step)
        if (before.reported && (now.status !== before.status || !now.reported))
          wrong.push(`${step}, though it was reported`)
        if (now.reported && !EndStatus.safeParse(now.status).success) wrong.push(`${step} as reported`)
        before = now
      }
      expect(wrong).toEqual([])
    }),
    { numRuns: 40 },
  )
}, 120_000)

async function happen(event: (typeof events)[number], jobId: string): Promise<unknown> {
  const hello = (known: boolean) =>
    greetAgent(
      database.db,
      host.sender,
      helloOf({ spoolEpoch: host.sender.spoolEpoch, knownJobs: known ? [{ jobId, status: 'running' }] : [] }),
      { serverVersion: '0.1.0', timing, log: quiet },
    )
  switch (event) {
    case 'accept':
      return answerCommand(database.db, host.sender, result(jobId))
    case 'refuse':
      return answerCommand(database.db, host.sender, result(jobId, false))
    case 'start':
      return startJob(database.db, host.sender, started(jobId))
    case 'succeed':
      return finishJob(database.db, host.sender, finished(jobId))
    case 'fail':
      return finishJob(database.db, host.sender, finished(jobId, 'failed'))
    case 'end cancelled':
      return finishJob(database.db, host.sender, finished(jobId, 'cancelled'))
    case 'cancel':
      return cancel(jobId)
    case 'expire':
      await database.db
        .update(jobs)
        .set({ expiresAt: sql`now() - interval '1 s'` })
        .where(eq(jobs.id, jobId))
      return expireJobs(database.db)
    case 'forget':
      return hello(false)
    case 'remember':
      return hello(true)
  }
}

test('a host that is asked twice with one request id runs one job', async () => {
  const request = {
    requestId: newId(),
    hostId: host.hostId,
    repositoryId: host.repositoryId,
    kind: 'probe' as const,
    spec: {},
  }
  const answers = await Promise.all(Array.from({ length: 6 }, () => runJob(database.db, request, asAnna)))
  expect(new Set(answers.map(answer => answer.jobId)).size).toBe(1)
  await expect(runJob(database.db, { ...request, kind: 'unlock' }, asAnna)).rejects.toMatchObject({
    code: 'request_reused',
  })
})
