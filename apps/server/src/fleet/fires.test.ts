// Fires: one slot and repository, one job, whatever is lost, repeated, late or forged.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import type { ScheduleFire } from '@restic-manager/contract/schedule'
import { timing } from '@restic-manager/contract/timing'
import { hosts, jobs, repositories, schedules } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost, quiet, repositoryOf, type TestHost } from '../testing-fleet.ts'
import {
  acceptSlot,
  applySet,
  finishSlot,
  fire,
  fireOf,
  headerOf,
  hoursAgo,
  idOf,
  planOn,
  rowsOf,
} from '../testing-schedules.ts'
import { expectDueSlots } from './expectations.ts'
import { countForeignIds } from './foreign-ids.ts'
import { answerCommand } from './job-reports.ts'
import { viewJob } from './job-views.ts'
import { cancelJob, expireJobs } from './jobs.ts'
import { nextOrders, nothingSent } from './orders.ts'
import { createRepository } from './repositories.ts'
import { removeSchedule, setScheduleEnabled } from './schedules.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const newHost = () => makeHost(database.db, database.seal)
const send = (host: TestHost, sent: ScheduleFire) => fire(database.db, host, sent)
const ordersOf = async (host: TestHost) =>
  (await nextOrders(database.db, database.seal, host.sender, nothingSent())).flatMap(order =>
    order.order === 'command.run' || order.order === 'command.cancel' ? [[order.order, order.jobId]] : [],
  )
const accept = (host: TestHost, scheduleId: string, slot: string) =>
  acceptSlot(database.db, host, scheduleId, slot)
const succeed = (host: TestHost, scheduleId: string, slot: string) =>
  finishSlot(database.db, host, scheduleId, slot)

describe('a slot left to the server', () => {
  test('becomes one job under the derived id, and is ordered', async () => {
    const host = await newHost()
    const scheduleId = await planOn(database.db, host)
    const slot = hoursAgo(0)
    const answer = [
      { jobId: idOf(host, scheduleId, slot), repositoryId: host.repositoryId, decision: 'queued' },
    ]
    expect(await send(host, fireOf(host, scheduleId, slot))).toEqual(answer)
    expect(await ordersOf(host)).toEqual([['command.run', idOf(host, scheduleId, slot)]])
    expect(await rowsOf(database.db, scheduleId)).toMatchObject([
      { status: 'queued', decidedBy: 'server', spec: { paths: ['/srv'] }, scheduledFor: new Date(slot) },
    ])
  })

  test('is answered the same when the answer was lost, also after the job began', async () => {
    const host = await newHost()
    const scheduleId = await planOn(database.db, host)
    const sent = fireOf(host, scheduleId, hoursAgo(0))
    const first = await send(host, sent)
    expect(await send(host, sent)).toEqual(first)
    await accept(host, scheduleId, hoursAgo(0))
    expect(await send(host, sent)).toEqual(first)
    await succeed(host, scheduleId, hoursAgo(0))
    expect(await send(host, sent)).toEqual(first)
    expect(await rowsOf(database.db, scheduleId)).toMatchObject([{ status: 'succeeded' }])
  })

  test('delivered many times at once is one job', async () => {
    const host = await newHost()
    const scheduleId = await planOn(database.db, host)
    const sent = fireOf(host, scheduleId, hoursAgo(0))
    const answers = await Promise.all(Array.from({ length: 8 }, () => send(host, sent)))
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect(await rowsOf(database.db, scheduleId)).toHaveLength(1)
  })

  test('makes one job for each repository, in their order', async () => {
    const host = await newHost()
    const more = await createRepository(database.db, database.seal, repositoryOf({ hostIds: [host.hostId] }))
    const repositoryIds = [more.repositoryId, host.repositoryId]
    const scheduleId = await planOn(database.db, host, { repositoryIds })
    const answer = await send(host, fireOf(host, scheduleId, hoursAgo(0)))
    expect(answer.map(({ repositoryId }) => repositoryId)).toEqual(repositoryIds)
    expect(await ordersOf(host)).toHaveLength(2)
  })

  test('older than one already fired is superseded, in whatever order the fires come', async () => {
    const host = await newHost()
    const scheduleId = await planOn(database.db, host)
    await send(host, fireOf(host, scheduleId, hoursAgo(0)))
    const late = fireOf(host, scheduleId, hoursAgo(1))
    const answer = [{ decision: 'skipped', reason: 'superseded' }]
    expect(await send(host, late)).toMatchObject(answer)
    expect(await send(host, late)).toMatchObject(answer)
    expect(await rowsOf(database.db, scheduleId)).toMatchObject([
      { status: 'skipped', reason: 'superseded' },
      { status: 'queued' },
    ])
  })

  test('takes the place of an older one that still waits, and its host is told to leave that one', async () => {
    const host = await newHost()
    const scheduleId = await planOn(database.db, host)
    await send(host, fireOf(host, scheduleId, hoursAgo(1)))
    await send(host, fireOf(host, scheduleId, hoursAgo(0)))
    const [older, newer] = [idOf(host, scheduleId, hoursAgo(1)), idOf(host, scheduleId, hoursAgo(0))]
    expect(await ordersOf(host)).toEqual([
      ['command.cancel', older],
      ['command.run', newer],
    ])
    expect(await send(host, fireOf(host, scheduleId, hoursAgo(1)))).toMatchObject([
      { decision: 'skipped', reason: 'superseded' },
    ])
    expect((await accept(host, scheduleId, hoursAgo(1))).proceed).toBe(false)
    const end = { status: 'cancelled', reason: 'cancelled_by_operator' } as const
    await finishSlot(database.db, host, scheduleId, hoursAgo(1), end)
    expect(await viewJob(database.db, older)).toMatchObject({ status: 'cancelled', reason: 'superseded' })
  })

  test('of a paused or deleted schedule is skipped, and so it stays', async () => {
    const host = await newHost()
    const scheduleId = await planOn(database.db, host)
    await setScheduleEnabled(database.db, { scheduleId, version: 1, enabled: false })
    const paused = fireOf(host, scheduleId, hoursAgo(1))
    expect(await send(host, paused)).toMatchObject([{ decision: 'skipped', reason: 'schedule_paused' }])
    await setScheduleEnabled(database.db, { scheduleId, version: 2, enabled: true })
    expect(await send(host, paused)).toMatchObject([{ decision: 'skipped', reason: 'schedule_paused' }])
    await removeSchedule(database.db, { scheduleId, version: 3 })
    expect(await send(host, fireOf(host, scheduleId, hoursAgo(0)))).toMatchObject([
      { decision: 'skipped', reason: 'schedule_deleted' },
    ])
    expect((await rowsOf(database.db, scheduleId)).map(({ status }) => status)).toEqual([
      'skipped',
      'skipped',
    ])
    expect(await ordersOf(host)).toEqual([])
  })

  test('of a schedule nobody here knows has nothing to do', async () => {
    const host = await newHost()
    expect(await send(host, fireOf(host, newId(), hoursAgo(0)))).toEqual([])
  })

  test('that was cancelled or expired before the repeat is skipped with that reason', async () => {
    const host = await newHost()
    const scheduleId = await planOn(database.db, host)
    const sent = fireOf(host, scheduleId, hoursAgo(1))
    await send(host, sent)
    await cancelJob(database.db, {
      jobId: idOf(host, scheduleId, hoursAgo(1)),
      requestedBy: 'anna@example.com',
    })
    expect(await send(host, sent)).toMatchObject([{ decision: 'skipped', reason: 'cancelled_by_operator' }])
    const newer = fireOf(host, scheduleId, hoursAgo(0))
    await send(host, newer)
    await database.db
      .update(jobs)
      .set({ expiresAt: new Date(0) })
      .where(eq(jobs.id, idOf(host, scheduleId, hoursAgo(0))))
    await expireJobs(database.db)
    expect(await send(host, newer)).toMatchObject([{ decision: 'skipped', reason: 'not_claimed' }])
  })

  test('fired by a clock that ran years ahead does not make every later slot look old', async () => {
    const host = await newHost()
    const scheduleId = await planOn(database.db, host)
    await send(host, fireOf(host, scheduleId, '2099-01-01T00:00:00.000Z'))
    expect(await send(host, fireOf(host, scheduleId, hoursAgo(0)))).toMatchObject([{ decision: 'queued' }])
  })
})

describe('a slot for the maintenance host', () => {
  const withMaintenance = async () => {
    const [host, maintainer] = [await newHost(), await newHost()]
    const scheduleId = await planOn(database.db, host, { kind: 'prune' })
    const appoint = () =>
      database.db
        .update(repositories)
        .set({ maintenanceHostId: maintainer.hostId })
        .where(eq(repositories.id, host.repositoryId))
    return { host, maintainer, scheduleId, appoint }
  }

  test('is delegated: it runs there, for the host that fired', async () => {
    const { host, maintainer, scheduleId, appoint } = await withMaintenance()
    await appoint()
    const sent = fireOf(host, scheduleId, hoursAgo(0))
    expect(await send(host, sent)).toMatchObject([{ decision: 'delegated' }])
    expect(await send(host, sent)).toMatchObject([{ decision: 'delegated' }])
    expect(await rowsOf(database.db, scheduleId)).toMatchObject([
      { hostId: maintainer.hostId, forHostId: host.hostId, elevated: true, status: 'queued' },
    ])
    expect(await ordersOf(host)).toEqual([])
  })

  test('is skipped with its reason while there is no such host', async () => {
    const { host, scheduleId } = await withMaintenance()
    expect(await send(host, fireOf(host, scheduleId, hoursAgo(0)))).toMatchObject([
      { decision: 'skipped', reason: 'no_maintenance_host' },
    ])
    expect(await rowsOf(database.db, scheduleId)).toMatchObject([
      { hostId: host.hostId, status: 'skipped', reason: 'no_maintenance_host' },
    ])
  })

  test('overlaps with one that still runs there: skipped, or queued once', async () => {
    const { host, scheduleId, appoint } = await withMaintenance()
    await appoint()
    await send(host, fireOf(host, scheduleId, hoursAgo(3)))
    await database.db.update(jobs).set({ status: 'running' }).where(eq(jobs.scheduleId, scheduleId))
    expect(await send(host, fireOf(host, scheduleId, hoursAgo(2)))).toMatchObject([
      { decision: 'skipped', reason: 'overlap' },
    ])
    const [row] = await database.db.select().from(schedules).where(eq(schedules.id, scheduleId))
    if (row === undefined) throw new Error('no schedule')
    await database.db
      .update(schedules)
      .set({ definition: { ...row.definition, overlap: 'queue' } })
      .where(eq(schedules.id, scheduleId))
    for (const hours of [1, 0])
      expect(await send(host, fireOf(host, scheduleId, hoursAgo(hours)))).toMatchObject([
        { decision: 'delegated' },
      ])
    expect((await rowsOf(database.db, scheduleId)).map(({ status }) => status)).toEqual([
      'running',
      'skipped',
      'skipped',
      'queued',
    ])
  })
})

test('a slot that counted as missed turns into the truth when its host fires it late', async () => {
  const host = await newHost()
  const scheduleId = await planOn(database.db, host, { since: hoursAgo(4) })
  await applySet(database.db, host, hoursAgo(3))
  await expectDueSlots(database.db, timing)
  const guessed = await rowsOf(database.db, scheduleId)
  expect(guessed.length).toBeGreaterThanOrEqual(2)
  for (const row of guessed)
    expect(row).toMatchObject({ status: 'missed', reason: 'not_reported', reported: false })

  await send(host, fireOf(host, scheduleId, hoursAgo(2), [host.repositoryId]))
  await succeed(host, scheduleId, hoursAgo(2))
  expect(await send(host, fireOf(host, scheduleId, hoursAgo(1)))).toMatchObject([{ decision: 'queued' }])
  const told = await rowsOf(database.db, scheduleId)
  expect(told.slice(0, 2)).toMatchObject([
    { status: 'succeeded', decidedBy: 'agent' },
    { status: 'queued', decidedBy: 'server' },
  ])
})

describe('what is refused', () => {
  test('an id that is not derived, a slot that is no whole minute, no job at all', async () => {
    const host = await newHost()
    const scheduleId = await planOn(database.db, host)
    const slot = hoursAgo(0)
    const forged = { ...fireOf(host, scheduleId, slot), decidedBy: 'agent' as const }
    const bad = { code: 'bad_input' }
    const { repositoryId } = host
    await expect(send(host, { ...forged, jobs: [{ jobId: newId(), repositoryId }] })).rejects.toMatchObject(
      bad,
    )
    await expect(
      send(host, { ...forged, jobs: [{ jobId: idOf(host, scheduleId, hoursAgo(1)), repositoryId }] }),
    ).rejects.toMatchObject(bad)
    await expect(send(host, forged)).rejects.toMatchObject(bad)
    await expect(
      send(host, fireOf(host, scheduleId, slot.replace('00.000Z', '30.000Z'))),
    ).rejects.toMatchObject(bad)
    expect(await rowsOf(database.db, scheduleId)).toEqual([])
  })

  test('the schedule of another host, which is counted', async () => {
    const [host, other] = [await newHost(), await newHost()]
    const scheduleId = await planOn(database.db, other)
    const parts = { db: database.db, host: host.sender, log: quiet }
    for (const sent of [
      fireOf(host, scheduleId, hoursAgo(0)),
      fireOf(host, scheduleId, hoursAgo(0), [other.repositoryId]),
    ])
      await expect(countForeignIds(parts, scheduleId, () => send(host, sent))).rejects.toMatchObject({
        code: 'schedule_not_found',
      })
    expect(await rowsOf(database.db, scheduleId)).toEqual([])
    const [row] = await database.db.select().from(hosts).where(eq(hosts.id, host.hostId))
    expect(row).toMatchObject({ foreignIdCount: 2 })
  })

  test("a job told of under another's slot, or under an id that is not derived", async () => {
    const [host, other] = [await newHost(), await newHost()]
    const theirs = await planOn(database.db, other)
    await expect(succeed(host, theirs, hoursAgo(0))).rejects.toMatchObject({ code: 'schedule_not_found' })
    const ours = await planOn(database.db, host)
    await expect(
      answerCommand(database.db, host.sender, {
        ...host.fact('first'),
        ...headerOf(host, ours, hoursAgo(0)),
        jobId: newId(),
        accepted: true,
      }),
    ).rejects.toMatchObject({ code: 'bad_input' })
    expect(await rowsOf(database.db, ours)).toEqual([])
  })
})
