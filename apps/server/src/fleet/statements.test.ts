// What hosts do by the thousand costs the database few questions: each one is a way there and back, and work at both ends.
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { JobHeader } from '@restic-manager/contract/job'
import { encodeLine } from '@restic-manager/contract/log'
import { toInstant } from '@restic-manager/contract/scalars'
import { timing } from '@restic-manager/contract/timing'
import { connect, type Db } from '../db/open.ts'
import { jobProgress } from '../db/schema-logs.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { connectMachine, enrolMachine, type Machine, makeHost, type TestHost } from '../testing-fleet.ts'
import { applySet, fireOf, hoursAgo, planOn } from '../testing-schedules.ts'
import { ackConfiguration, changeConfiguration } from './configuration.ts'
import { fireSchedule } from './fires.ts'
import { keepProgress } from './job-progress.ts'
import { appendLog } from './logs.ts'
import { answerCommand, finishJob, startJob } from './job-reports.ts'
import { nextOrders, nothingSent } from './orders.ts'
import { pauseHosts, resumeHosts } from './pauses.ts'
import { ackSchedules, scheduleSetFor } from './schedule-sets.ts'

let database: TestDatabase
let asked: string[] = []
let client: ReturnType<typeof connect>
/** The same database, which notes what it is asked, the begin and the end of transactions left out. */
let noted: Db
beforeAll(async () => {
  database = await testDatabase()
  client = connect(database.url, { max: 2 })
  noted = drizzle(client, { logger: { logQuery: query => void asked.push(query) } }) as unknown as Db
})
afterAll(async () => {
  await client.end()
  await database.close()
})

async function count(work: () => Promise<unknown>): Promise<number> {
  asked = []
  await work()
  return asked.length
}

const ackNow = (version: number) => ({ version, appliedAt: toInstant(Date.now()) })

async function comeBack(machine: Machine) {
  const host = await connectMachine(noted, machine)
  const [config] = await nextOrders(noted, database.seal, host, nothingSent())
  expect(config).toMatchObject({ order: 'config.update' })
  const set = await scheduleSetFor(noted, host)
  await ackConfiguration(noted, host, ackNow(1))
  await ackSchedules(noted, host, ackNow(set.version))
}

test('a host that comes back asks at most ten things of the database until it is told everything', async () => {
  const { machine } = await makeHost(database.db, database.seal)
  expect(await count(() => comeBack(machine)), asked.join('\n')).toBeLessThanOrEqual(10)
})

test('a fleet that comes back at once asks far fewer: the same things of many hosts are asked together', async () => {
  const machines: Machine[] = []
  for (let made = 0; made < 30; made += 1) machines.push(await enrolMachine(database.db, `web-${made}`))
  const questions = await count(() => Promise.all(machines.map(comeBack)))
  expect(questions, asked.join('\n')).toBeLessThanOrEqual(2 * machines.length)
})

test('a host that comes back with what it had and acks it again has nothing written for it', async () => {
  const { machine, hostId } = await makeHost(database.db, database.seal)
  await comeBack(machine)
  const versions = { appliedConfigVersion: 2, appliedScheduleVersion: 1 }
  const host = await connectMachine(database.db, machine, versions)
  const read = async () => {
    const [row] = await database.db.execute<{ row: string; config: string; plan: string }>(
      sql`select xmin::text as row, config_applied_at as config, schedule_applied_at as plan from hosts where id = ${hostId}`,
    )
    return row
  }
  await ackConfiguration(database.db, host, ackNow(2))
  await ackSchedules(database.db, host, ackNow(1))
  const before = await read()
  expect(before).toMatchObject({ config: expect.any(String), plan: expect.any(String) })
  await ackConfiguration(database.db, host, ackNow(2))
  await ackSchedules(database.db, host, ackNow(1))
  expect(await read()).toEqual(before)
})

const makeHosts = (count: number) =>
  Promise.all(Array.from({ length: count }, () => makeHost(database.db, database.seal)))

/** Everything its host tells of a backup, but for what is in the repository afterwards. */
async function tellOf({ sender, fact }: TestHost, header: JobHeader) {
  await answerCommand(noted, sender, { ...fact('first'), ...header, accepted: true })
  const begun = { startedAt: toInstant(Date.now()), command: 'restic backup', resticVersion: '0.18.0' }
  await startJob(noted, sender, { ...fact('rest'), ...header, ...begun })
  await finishJob(noted, sender, {
    ...{ ...fact('rest'), ...header, status: 'succeeded', exitCode: 0, lastLogSeq: -1 },
    ...{ finishedAt: toInstant(Date.now()), warnings: [] },
  })
}

/** A slot from its fire to the end of its job. */
async function runSlot(host: TestHost, scheduleId: string) {
  const fire = fireOf(host, scheduleId, hoursAgo(0))
  const [job] = (await fireSchedule(noted, host.sender, fire, timing)).jobs
  if (job === undefined) throw new Error('no job')
  await nextOrders(noted, database.seal, host.sender, nothingSent())
  const { jobId, repositoryId } = job
  await tellOf(host, { jobId, repositoryId, kind: 'backup', scheduleId, scheduledAt: hoursAgo(0) })
}

/** What hosts do whose schedule comes due, that they have applied. */
async function makePlanned(count: number) {
  const hosts = await makeHosts(count)
  const plans = hosts.map(async host => {
    const scheduleId = await planOn(database.db, host)
    await applySet(database.db, host)
    return () => runSlot(host, scheduleId)
  })
  return Promise.all(plans)
}

test('a slot that runs asks at most seventeen things of the database, from its fire to its end', async () => {
  const [run] = await makePlanned(1)
  const questions = await count(async () => run?.())
  expect(questions, asked.join('\n')).toBeLessThanOrEqual(17)
})

test('the slots of many hosts that come due at once ask no more of the database than that of one', async () => {
  const [first, ...others] = await makePlanned(8)
  const one = await count(async () => first?.())
  const many = await count(() => Promise.all(others.map(run => run())))
  expect(many, asked.join('\n')).toBe(one)
})

const leftToServer = 'a slot that is left to the server'
const byItself = 'a slot that a host ran by itself'
const tellings: [string, (typeof leftToServer | typeof byItself)[], number][] = [
  [byItself, [byItself], 7],
  [`${byItself}, and that was queued meanwhile`, [leftToServer, byItself], 8],
  [`${byItself}, told again`, [byItself, byItself], 8],
  [`${leftToServer}, told again`, [leftToServer, leftToServer], 5],
  [`${leftToServer}, after ${byItself}`, [byItself, leftToServer], 5],
]
test.each(tellings)('%s is told of by many in as few statements as by one', async (_, told, most) => {
  const runs = await Promise.all(
    (await makeHosts(8)).map(async host => {
      const scheduleId = await planOn(database.db, host)
      const fires = told.map(how =>
        fireOf(host, scheduleId, hoursAgo(0), how === byItself ? [host.repositoryId] : undefined),
      )
      const last = fires.pop()
      for (const fire of fires) await fireSchedule(database.db, host.sender, fire, timing)
      return async () => last && fireSchedule(noted, host.sender, last, timing)
    }),
  )
  const [first, ...others] = runs
  const one = await count(async () => first?.())
  const many = await count(() => Promise.all(others.map(tell => tell())))
  expect(many, asked.join('\n')).toBe(one)
  expect(one, asked.join('\n')).toBeLessThanOrEqual(most)
})

test('a change that touches many hosts asks no more of the database than one that touches a single host', async () => {
  const { db } = database
  const many = await Promise.all(Array.from({ length: 5 }, () => enrolMachine(db)))
  const hostIds = many.map(({ hostId }) => hostId)
  const acts: [string, (ids: string[]) => Promise<unknown>][] = [
    ['configuration', ids => changeConfiguration(noted, async () => ({ result: undefined, hostIds: ids }))],
    ['pause', ids => noted.transaction(tx => pauseHosts(tx, ids, { by: 'Ada' }))],
    ['resume', ids => noted.transaction(tx => resumeHosts(tx, ids))],
  ]
  for (const [act, on] of acts) {
    const [one, all] = [await count(() => on(hostIds.slice(0, 1))), await count(() => on(hostIds.slice(1)))]
    expect(all, `${act}: ${asked.join('\n')}`).toBe(one)
  }
})

test('where many jobs stand is kept by one statement for all who say so at once, and of two words about one job the later counts', async () => {
  const running: { host: TestHost; jobId: string }[] = []
  for (let made = 0; made < 5; made += 1) {
    const host = await makeHost(database.db, database.seal)
    const { jobId } = await host.backUp()
    running.push({ host, jobId })
  }
  const counts = { filesDone: 1, totalFiles: 2, bytesDone: 3, totalBytes: 4, throughputBps: 1 }
  const say = ({ host, jobId }: (typeof running)[number], percentDone: number) =>
    keepProgress(noted, host.sender, { jobId, phase: 'running', percentDone, ...counts })
  const questions = await count(() => Promise.all(running.flatMap(job => [say(job, 0.25), say(job, 0.5)])))
  expect(questions, asked.join('\n')).toBe(1)
  const kept = await database.db.select({ progress: jobProgress.progress }).from(jobProgress)
  expect(kept.map(({ progress }) => progress.percentDone)).toEqual(running.map(() => 0.5))
})

test('blocks of logs that many hosts send again are answered by one statement', async () => {
  const sent = await Promise.all(
    (await makeHosts(8)).map(async host => {
      const { jobId } = await host.backUp()
      const lines = { block: encodeLine(0, 'stdout', 'one'), count: 1, startedAt: toInstant(Date.now()) }
      const send = (db: Db) => appendLog(db, host.sender, { jobId, firstSeq: 0, ...lines })
      await send(database.db)
      return send
    }),
  )
  const questions = await count(async () => {
    const answers = await Promise.all(sent.map(send => send(noted)))
    expect(answers).toEqual(sent.map(() => ({ nextSeq: 1 })))
  })
  expect(questions, asked.join('\n')).toBe(1)
})
