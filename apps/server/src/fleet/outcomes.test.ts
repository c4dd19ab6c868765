// Outcomes: whatever becomes of jobs, in whatever order, the sums are those of the jobs there are.
import fc from 'fast-check'
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import type { JobStatus } from '@restic-manager/contract/job'
import { hostDays, standings } from '../db/schema-outcomes.ts'
import { jobs } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost, type TestHost } from '../testing-fleet.ts'
import { planOn } from '../testing-schedules.ts'
import { countOutcomes, rebuildOutcomes } from './outcomes.ts'

let database: TestDatabase
let host: TestHost
let scheduleId: string
beforeAll(async () => {
  database = await testDatabase()
  host = await makeHost(database.db, database.seal)
  scheduleId = await planOn(database.db, host)
})
beforeEach(async () => {
  await database.db.delete(jobs)
  await countOutcomes(database.db)
})
afterAll(() => database.close())

const DAY_MS = 86_400_000
const firstDay = Date.parse('2026-03-01T00:00:00Z')
const ended = [
  'succeeded',
  'incomplete',
  'failed',
  'lost',
  'missed',
  'skipped',
  'expired',
  'cancelled',
] as const
const wordOf = (status: JobStatus) => (status === 'expired' || status === 'cancelled' ? 'skipped' : status)

type Made = {
  scheduledFor?: Date
  status?: JobStatus
  kind?: 'backup' | 'forget'
  from?: Date
  slotCount?: number
}
async function put({
  scheduledFor = new Date(firstDay),
  status = 'queued',
  kind = 'backup',
  from,
  slotCount = 1,
}: Made) {
  const id = newId()
  await database.db.insert(jobs).values({
    ...{ id, hostId: host.hostId, repositoryId: host.repositoryId, scheduleId, kind, status, spec: {} },
    ...{ scheduledFor, createdAt: scheduledFor, notRunFrom: from ?? null, slotCount, retryOf: newId() },
  })
  return id
}

/** What stands in the tables, without days on which nothing is left. */
async function sums() {
  const nothing = sql`succeeded + incomplete + failed + lost + missed + skipped = 0`
  const read = (query: ReturnType<typeof sql>) => database.db.execute(query)
  return {
    hostDays: [...(await read(sql`select * from host_days where not (${nothing}) order by host_id, day`))],
    fleetDays: [...(await read(sql`select * from fleet_days where not (${nothing}) order by day`))],
    standings: [
      ...(await read(
        sql`select * from standings where status is not null or missed > 0 order by schedule_id, repository_id`,
      )),
    ],
  }
}

/** The same by another way: from the jobs, here. Single slots only. */
async function recount() {
  const counted = new Map<string, number>()
  for (const { status, kind, scheduledFor } of await database.db.select().from(jobs)) {
    if (kind !== 'backup' || scheduledFor === null || !(ended as readonly string[]).includes(status)) continue
    const key = `${scheduledFor.toISOString().slice(0, 10)} ${wordOf(status)}`
    counted.set(key, (counted.get(key) ?? 0) + 1)
  }
  return Object.fromEntries([...counted].toSorted())
}

async function told() {
  const days = await database.db.select().from(hostDays).where(eq(hostDays.hostId, host.hostId))
  const flat = days.flatMap(({ day, hostId: _, ...of }) =>
    Object.entries(of).flatMap(([word, count]) => (count === 0 ? [] : [[`${day} ${word}`, count] as const])),
  )
  return Object.fromEntries(flat.toSorted(([one], [other]) => (one < other ? -1 : 1)))
}

test('whatever becomes of jobs, and whenever it is counted, the sums are those of the jobs there are', async () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant('put' as const),
      day: fc.nat(4),
      status: fc.constantFrom('queued', 'running', ...ended),
      kind: fc.constantFrom('backup' as const, 'backup' as const, 'forget' as const),
    }),
    fc.record({
      do: fc.constant('turn' as const),
      which: fc.nat(30),
      status: fc.constantFrom('accepted', 'running', ...ended),
    }),
    fc.record({ do: fc.constant('drop' as const), which: fc.nat(30) }),
    fc.record({ do: fc.constant('count' as const) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
      await database.db.delete(jobs)
      const made: string[] = []
      for (const each of steps) {
        if (each.do === 'put')
          made.push(
            await put({
              ...each,
              scheduledFor: new Date(firstDay + each.day * DAY_MS + made.length * 60_000),
            }),
          )
        else if (each.do === 'count') await countOutcomes(database.db)
        else {
          const id = made[each.which % Math.max(1, made.length)] ?? newId()
          if (each.do === 'drop') await database.db.delete(jobs).where(eq(jobs.id, id))
          else await database.db.update(jobs).set({ status: each.status }).where(eq(jobs.id, id))
        }
      }
      await countOutcomes(database.db)
      expect(await told()).toEqual(await recount())
      const kept = await sums()
      await rebuildOutcomes(database.db)
      expect(await sums()).toEqual(kept)
    }),
    { numRuns: 25 },
  )
})

test('a job that was given up as lost and succeeded after all counts once, as a success', async () => {
  const id = await put({ status: 'lost' })
  await countOutcomes(database.db)
  expect(await told()).toEqual({ '2026-03-01 lost': 1 })
  await database.db.update(jobs).set({ status: 'succeeded' }).where(eq(jobs.id, id))
  await countOutcomes(database.db)
  expect(await told()).toEqual({ '2026-03-01 succeeded': 1 })
})

test('a range of a single slot is a slot like any other', async () => {
  const slot = new Date(firstDay + 3_600_000)
  await put({ scheduledFor: slot, from: slot, slotCount: 1, status: 'skipped' })
  await put({ scheduledFor: slot, from: slot, slotCount: 2, status: 'missed' })
  await countOutcomes(database.db)
  expect((await sums()).hostDays).toMatchObject([{ day: '2026-03-01', skipped: 1, missed: 1 }])
})

test('a range of slots that did not run lies on the days of its slots', async () => {
  const from = new Date(firstDay + 2 * 3_600_000)
  const to = new Date(from.getTime() + 3 * DAY_MS)
  await put({ status: 'missed', scheduledFor: to, from, slotCount: 4 })
  await countOutcomes(database.db)
  expect(await told()).toEqual(Object.fromEntries([1, 2, 3, 4].map(day => [`2026-03-0${day} missed`, 1])))
  await database.db.delete(jobs)
  await put({
    status: 'missed',
    scheduledFor: new Date(firstDay + 2 * DAY_MS),
    from: new Date(firstDay),
    slotCount: 49,
  })
  await countOutcomes(database.db)
  expect(await told()).toEqual({ '2026-03-01 missed': 24, '2026-03-02 missed': 24, '2026-03-03 missed': 1 })
})

test('a schedule stands as its newest run went, since the first of the failures in a row, with what was missed since', async () => {
  const at = (hour: number) => new Date(firstDay + hour * 3_600_000)
  const stand = async () =>
    (await database.db.select().from(standings).where(eq(standings.scheduleId, scheduleId)))[0]
  await put({ scheduledFor: at(1), status: 'succeeded' })
  await put({ scheduledFor: at(2), status: 'failed' })
  const last = await put({ scheduledFor: at(3), status: 'failed' })
  await put({ scheduledFor: at(4), status: 'missed' })
  await countOutcomes(database.db)
  expect(await stand()).toMatchObject({
    ...{
      status: 'failed',
      jobId: last,
      since: at(2),
      count: 2,
      lastGoodAt: at(1),
      missed: 1,
      missedSince: at(4),
    },
  })
  await put({ scheduledFor: at(5), status: 'incomplete' })
  const partial = await put({ scheduledFor: at(6), status: 'incomplete' })
  await countOutcomes(database.db)
  expect(await stand()).toMatchObject({
    status: 'incomplete',
    jobId: partial,
    since: at(5),
    count: 2,
    missed: 0,
    lastGoodAt: at(6),
  })
})
