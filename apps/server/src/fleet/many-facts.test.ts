// What hosts tell at the same moment is taken in together, and does exactly what it would have done one after the other.
import { eq, inArray, ne } from 'drizzle-orm'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Fact } from '@restic-manager/contract/fact'
import { newId } from '@restic-manager/contract/ids'
import { EndStatus, type JobHeader } from '@restic-manager/contract/job'
import type { SnapshotsReport } from '@restic-manager/contract/snapshots'
import { timing } from '@restic-manager/contract/timing'
import { isLongRun } from '@restic-manager/testkit/restic'
import { readNotification } from '../db/bus.ts'
import { type Db, openDatabase } from '../db/open.ts'
import { hosts, jobs } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { contentOf } from '../testing-content.ts'
import { asAnna, makeHost, type TestHost } from '../testing-fleet.ts'
import { makeVault } from '../testing-maintenance.ts'
import { fireOf, hoursAgo, planOn } from '../testing-schedules.ts'
import { fireCarefully, fireSchedule } from './fires.ts'
import {
  answerCarefully,
  answerCommand,
  finishCarefully,
  finishJob,
  startCarefully,
  startJob,
} from './job-reports.ts'
import { runJob } from './jobs.ts'
import { countOutcomes } from './outcomes.ts'
import { keepCarefully, keepSnapshotReport } from './snapshots.ts'

let original: TestDatabase
let fleet: Awaited<ReturnType<typeof makeFleet>>
beforeAll(async () => {
  original = await testDatabase()
  fleet = await makeFleet(original)
})
afterAll(() => original.close())

/**
 * Two repositories with three hosts each, that have slots and backups. On one slots are tried again, on the other a prune waits for all
 * of them: with both it would matter who was heard first.
 */
async function makeFleet({ db, seal }: TestDatabase) {
  const hosts: TestHost[] = []
  const plans: { hostId: string; scheduleId: string }[] = []
  for (const count of [0, 2]) {
    const { one, two, keeper } = await makeVault(db, seal)
    for (const host of [one, two]) {
      const scheduleId = await planOn(db, host, { retry: { count, delaySeconds: 0 } })
      await fireSchedule(db, host.sender, fireOf(host, scheduleId, hoursAgo(2)), timing)
      plans.push(
        { hostId: host.hostId, scheduleId },
        { hostId: host.hostId, scheduleId: await planOn(db, host, { overlap: 'queue' }) },
        { hostId: host.hostId, scheduleId: await planOn(db, host, { enabled: false }) },
      )
      await host.backUp()
    }
    const { hostId, repositoryId } = keeper
    const kind = count === 0 ? 'prune' : 'unlock'
    await runJob(db, { requestId: newId(), hostId, repositoryId, kind, spec: {} }, asAnna)
    hosts.push(one, two, keeper)
  }
  const rows = await db.select().from(jobs).orderBy(jobs.hostId, jobs.id)
  const headers = rows.map(row => ({
    hostId: row.hostId,
    header: {
      ...{ jobId: row.id, kind: row.kind, repositoryId: row.repositoryId },
      ...(row.scheduleId === null ? {} : { scheduleId: row.scheduleId }),
      ...(row.scheduledFor === null ? {} : { scheduledAt: row.scheduledFor.toISOString() }),
    } satisfies JobHeader,
  }))
  return { hosts, headers, plans }
}

const rarely = (times: number) => fc.nat(times).map(n => n === 0)
const saying = fc.record({
  host: fc.nat(5),
  job: fc.nat(2),
  list: fc.array(fc.nat(4), { maxLength: 4 }),
  isUnheardOf: rarely(4),
  isAnothers: rarely(11),
  isOver: rarely(11),
  isSaidAgain: rarely(4),
  status: fc.constantFrom(...EndStatus.options),
  reason: fc.constantFrom(undefined, 'unreachable', 'wrong_password', 'overlap'),
})
type Saying = typeof saying extends fc.Arbitrary<infer T> ? T : never
type Act = 'fire' | 'take' | 'refuse' | 'start' | 'end' | 'list' | 'list the whole'
const rounds = fc.array(
  fc.record({
    act: fc.constantFrom<Act[]>(
      'fire',
      'fire',
      'take',
      'refuse',
      'start',
      'end',
      'end',
      'list',
      'list the whole',
    ),
    sayings: fc.uniqueArray(saying, { selector: ({ host }) => host, minLength: 1 }),
  }),
  { minLength: 1, maxLength: 6 },
)

/** What a host says in a round, to be said through one verb or the other. */
function factOf(act: Act, said: Saying, seq: number, unheardOf: string) {
  const host = fleet.hosts[said.host] as TestHost
  const about = fleet.headers.filter(({ hostId }) => (hostId === host.hostId) !== said.isAnothers)
  const known = about[said.job % about.length]?.header as JobHeader
  const { kind, repositoryId } = known
  const header = said.isUnheardOf ? { jobId: unheardOf, kind, repositoryId } : known
  const sender = said.isOver ? { ...host.sender, session: host.sender.session - 1 } : host.sender
  const at = (minute: number) => `2025-11-23T07:${10 + minute}:00.000Z`
  const fact = { ...header, lane: 'rest' as const, seq, occurredAt: at(seq) }
  const because = said.reason === undefined ? {} : { reason: said.reason }
  const accepted = act === 'take'
  const answer = { ...fact, lane: 'first' as const, accepted, ...(accepted ? {} : because) }
  const started = { ...fact, startedAt: at(seq), command: 'restic backup', resticVersion: '0.18.0' }
  const finished = {
    ...{ ...fact, status: said.status, finishedAt: at(seq), warnings: [], lastLogSeq: seq, ...because },
    ...{ stats: { files_new: seq, note: 'é"\\' }, exitCode: 3 },
  }
  const { lane, occurredAt } = fact
  const listed = {
    lane,
    seq,
    occurredAt,
    ...listOf(act, said, { sender, repositoryId, jobId: header.jobId }),
  }
  const plan = plansOf(host, said)
  const slot = fireOf(
    host,
    plan,
    hoursAgo(said.list.length % 3),
    said.isUnheardOf ? [repositoryId] : undefined,
  )
  const fire = { ...slot, seq, occurredAt }
  const periods = timing
  switch (act) {
    case 'start':
      return {
        together: (db: Db) => startJob(db, sender, started),
        alone: (db: Db) => startCarefully(db, { sender, fact: started }),
      }
    case 'fire':
      return {
        together: (db: Db) => fireSchedule(db, sender, fire, timing),
        alone: (db: Db) => fireCarefully(db, { sender, fact: fire, timing }),
      }
    case 'list':
    case 'list the whole':
      return {
        together: (db: Db) => keepSnapshotReport(db, sender, listed),
        alone: (db: Db) => keepCarefully(db, { sender, fact: listed }),
      }
    case 'end':
      return {
        together: (db: Db) => finishJob(db, sender, finished),
        alone: (db: Db) => finishCarefully(db, { sender, fact: finished, periods }),
      }
    default:
      return {
        together: (db: Db) => answerCommand(db, sender, answer),
        alone: (db: Db) => answerCarefully(db, { sender, fact: answer, periods }),
      }
  }
}

/** One of its plans, or another's. */
function plansOf(host: TestHost, { job, isAnothers }: Saying): string {
  const plans = fleet.plans.filter(({ hostId }) => (hostId === host.hostId) !== isAnothers)
  return (plans[job % plans.length] ?? fleet.plans[0])?.scheduleId ?? ''
}

/** Up to four snapshots. Sometimes one has no tag or is in the list twice, or there is another page to come. */
function listOf(
  act: Act,
  { list, isSaidAgain }: Saying,
  { sender, repositoryId, jobId }: { sender: { id: string }; repositoryId: string; jobId: string },
): Omit<SnapshotsReport, keyof Fact> {
  const snapshots = list.map(nth => {
    const id = `${sender.id}${nth}`.replaceAll('-', '').padEnd(64, '0')
    const tags = nth === 0 ? [] : [`rm-host=${sender.id}`, `rm-job=${jobId}`]
    const place = { id, shortId: id.slice(0, 8), hostname: 'web', paths: ['/srv', `/${list.length}`], tags }
    return { ...place, time: '2025-11-23T07:00:00.000Z', sizeBytes: nth, fileCount: list.length }
  })
  const scope = act === 'list' ? ('own' as const) : ('whole' as const)
  const pages = isSaidAgain ? 2 : 1
  return { repositoryId, reportId: newId(), scope, page: 0, pages, snapshots }
}

const outcomeOf = (call: Promise<unknown>) =>
  call.catch((error: unknown) => (error as { code?: string }).code ?? String(error))

/** Notes what this database tells the servers. */
async function listenTo({ sql }: TestDatabase) {
  const heard = new Set<string>()
  const { promise: end, resolve } = Promise.withResolvers<void>()
  await sql.listen('restic_manager', said => {
    if (said === 'end') return resolve()
    for (const { topic, id } of readNotification(said)) heard.add(`${topic}:${id}`)
  })
  return async () => {
    await sql.notify('restic_manager', 'end')
    await end
    return [...heard].toSorted()
  }
}

test('what many tell at once leaves the answers, the database and what is told of it as if each had been heard alone', async () => {
  await fc.assert(
    fc.asyncProperty(rounds, async story => {
      await using one = await original.twin()
      await using many = await original.twin()
      const [heardOfOne, heardOfMany] = [await listenTo(one), await listenTo(many)]
      let seq = 0
      for (const { act, sayings } of story) {
        const facts = sayings.flatMap(said => {
          seq += 1
          const fact = factOf(act, said, seq, newId())
          return said.isSaidAgain ? [fact, fact] : [fact]
        })
        const alone: unknown[] = []
        for (const fact of facts) alone.push(await outcomeOf(fact.alone(one.db)))
        expect(await Promise.all(facts.map(fact => outcomeOf(fact.together(many.db))))).toEqual(alone)
      }
      for (const { db } of [one, many]) {
        await countOutcomes(db)
        // What a job waited for that nobody let go before its end is a matter of who was heard first.
        await db.update(jobs).set({ waitsForJobId: null }).where(ne(jobs.status, 'queued'))
      }
      expect(await contentOf(many.sql)).toEqual(await contentOf(one.sql))
      expect(await heardOfMany()).toEqual(await heardOfOne())
    }),
    { numRuns: isLongRun ? 100 : 6, endOnFailure: true },
  )
})

/** As many hosts with a backup that they have taken on. */
async function makeWorkers(count: number) {
  const workers: { host: TestHost; header: JobHeader }[] = []
  for (let made = 0; made < count; made += 1) {
    const host = await makeHost(original.db, original.seal)
    const { jobId } = await host.backUp()
    workers.push({ host, header: { jobId, kind: 'backup', repositoryId: host.repositoryId } })
  }
  return workers
}
type Worker = Awaited<ReturnType<typeof makeWorkers>>[number]

const start = ({ host, header }: Worker, command = 'restic backup', db = original.db) =>
  startJob(db, host.sender, {
    ...{ ...host.fact(), ...header, startedAt: '2025-11-23T07:00:00.000Z' },
    ...{ command, resticVersion: '0.18.0' },
  })
const statusOf = async ({ header }: Worker) => {
  const [row] = await original.db.select().from(jobs).where(eq(jobs.id, header.jobId))
  return row?.status
}

test('a fact that no statement can hold is refused to its host, and those of the others are kept', async () => {
  const workers = await makeWorkers(4)
  const settled = await Promise.allSettled(
    workers.map((worker, at) => start(worker, at === 1 ? 'a NUL: \0' : undefined)),
  )
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled'])
  expect(await Promise.all(workers.map(statusOf))).toEqual(['running', 'queued', 'running', 'running'])
})

/** Until the answer is called, nobody else gets at the rows of these hosts. */
async function holdRows(held: readonly Worker[]) {
  const { promise: letGo, resolve } = Promise.withResolvers<void>()
  const { promise: isHeld, resolve: tell } = Promise.withResolvers<void>()
  const ids = held.map(({ host }) => host.hostId)
  const holder = original.db.transaction(async tx => {
    await tx.select().from(hosts).where(inArray(hosts.id, ids)).for('update')
    tell()
    await letGo
  })
  await isHeld
  return async () => {
    resolve()
    await holder
  }
}

test('a host whose row is held waits for it, and nobody else does', async () => {
  const [held, ...others] = await makeWorkers(4)
  if (held === undefined) throw new Error('no worker')
  const letGo = await holdRows([held])
  const waiting = start(held)
  await Promise.all(others.map(other => start(other)))
  expect(await statusOf(held)).toBe('queued')
  await letGo()
  await waiting
  expect(await statusOf(held)).toBe('running')
})

test('however many have to wait for their rows, there is a place at the database for all others', async () => {
  const [free, ...held] = await makeWorkers(15)
  if (free === undefined) throw new Error('no worker')
  const places = openDatabase(original.url, { max: 10 })
  const tell = (worker: Worker) => start(worker, undefined, places.db)
  const letGo = await holdRows(held)
  const waiting = held.map(tell)
  await expect.poll(() => places.load().inside).toBe(8)
  await tell(free)
  expect(await statusOf(free)).toBe('running')
  await letGo()
  await Promise.all(waiting)
  await places.close()
})
