// Checks that read everything in turns, and what a check leaves behind on the page of its repository.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EndStatus } from '@restic-manager/contract/job'
import { slotJobId } from '@restic-manager/contract/slots'
import { schedules } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { makeHost, repositoryOf, type TestHost } from '../testing-fleet.ts'
import { accept, end, rowOf, run } from '../testing-maintenance.ts'
import { applySet, fire, fireOf, hoursAgo, planOn } from '../testing-schedules.ts'
import { createRepository } from './repositories.ts'
import { viewRepository } from './repository-views.ts'
import { nextPart } from './rotation.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

async function rotating(readRotation: number, repositories: 'one' | 'two' = 'one') {
  const { db, seal } = database
  const host = await makeHost(db, seal)
  const repositoryIds = [host.repositoryId]
  if (repositories === 'two')
    repositoryIds.push(
      (await createRepository(db, seal, repositoryOf({ hostIds: [host.hostId] }))).repositoryId,
    )
  const scheduleId = await planOn(db, host, {
    kind: 'check',
    paths: undefined,
    repositoryIds,
    options: { readRotation },
    since: hoursAgo(50),
  })
  await applySet(db, host)
  return { host, scheduleId, repositoryIds }
}

/** Fires a slot and ends its jobs. Answers the part each was told to read. */
async function turn(
  { host, scheduleId, repositoryIds }: { host: TestHost; scheduleId: string; repositoryIds: string[] },
  hours: number,
  ...ends: EndStatus[]
) {
  const slot = hoursAgo(hours)
  await fire(database.db, host, fireOf(host, scheduleId, slot))
  const parts: unknown[] = []
  for (const [at, repositoryId] of repositoryIds.entries()) {
    const jobId = slotJobId(scheduleId, slot, repositoryId)
    parts.push((await rowOf(database.db, jobId)).spec)
    await accept(database.db, host, jobId)
    await end(database.db, host, jobId, ends[at] ?? 'succeeded', { scheduleId, scheduledAt: slot })
  }
  return parts
}
const reads = (part: number, of: number) => ({ readPart: { part, of } })
const rotationOf = async (repositoryId: string) =>
  (await viewRepository(database.db, repositoryId)).checkRotation

describe('a rotation', () => {
  test('reads every part in turn, stays at one that failed, and begins again after the last', async () => {
    const planned = await rotating(3)
    expect(await rotationOf(planned.host.repositoryId)).toEqual({ done: 0, of: 3 })
    expect(await turn(planned, 9)).toEqual([reads(1, 3)])
    expect(await rotationOf(planned.host.repositoryId)).toEqual({ done: 1, of: 3 })
    expect(await turn(planned, 8, 'failed')).toEqual([reads(2, 3)])
    expect(await turn(planned, 7)).toEqual([reads(2, 3)])
    expect(await rotationOf(planned.host.repositoryId)).toEqual({ done: 2, of: 3 })
    expect(await turn(planned, 6)).toEqual([reads(3, 3)])
    expect(await turn(planned, 5)).toEqual([reads(1, 3)])
  })

  test('begins anew when the number of parts changes', async () => {
    const planned = await rotating(4)
    await turn(planned, 9)
    await turn(planned, 8)
    await database.db
      .update(schedules)
      .set({
        definition: { catchUp: 'once', overlap: 'skip', jitterSeconds: 0, options: { readRotation: 5 } },
      })
      .where(eq(schedules.id, planned.scheduleId))
    expect(await rotationOf(planned.host.repositoryId)).toEqual({ done: 0, of: 5 })
    expect(await turn(planned, 7)).toEqual([reads(1, 5)])
    expect(await turn(planned, 6)).toEqual([reads(2, 5)])
  })

  test('moves on once the part has been read in every repository of the schedule', async () => {
    const planned = await rotating(2, 'two')
    expect(await turn(planned, 9, 'succeeded', 'failed')).toEqual([reads(1, 2), reads(1, 2)])
    expect(await turn(planned, 8)).toEqual([reads(1, 2), reads(1, 2)])
    expect(await turn(planned, 7)).toEqual([reads(2, 2), reads(2, 2)])
    expect(await nextPart(database.db, planned.scheduleId, 2)).toBe(1)
  })

  test('a part that is not the next one moves nothing', async () => {
    const planned = await rotating(3)
    await turn(planned, 9)
    const jobId = await run(database.db, planned.host, { kind: 'check', spec: reads(1, 3) })
    await end(database.db, planned.host, jobId, 'succeeded', { scheduleId: planned.scheduleId })
    expect(await nextPart(database.db, planned.scheduleId, 3)).toBe(2)
  })
})

describe('the last check of a repository', () => {
  const checked = async (repositoryId: string) => {
    const { lastCheckAt, lastCheckStatus } = await viewRepository(database.db, repositoryId)
    return { at: lastCheckAt?.toISOString(), status: lastCheckStatus }
  }

  test('is the newest that could look, good or bad', async () => {
    const host = await makeHost(database.db, database.seal)
    const check = async (status: EndStatus, finishedAt: string, reason?: string) => {
      const jobId = await run(database.db, host, { kind: 'check', spec: {} })
      await end(database.db, host, jobId, status, { finishedAt, ...(reason === undefined ? {} : { reason }) })
    }
    const [early, middle, late] = [hoursAgo(3), hoursAgo(2), hoursAgo(1)]
    await check('succeeded', middle)
    expect(await checked(host.repositoryId)).toEqual({ at: middle, status: 'ok' })
    await check('failed', early, 'damaged')
    expect(await checked(host.repositoryId)).toEqual({ at: middle, status: 'ok' })
    await check('failed', late, 'unreachable')
    await check('cancelled', late)
    expect(await checked(host.repositoryId)).toEqual({ at: middle, status: 'ok' })
    await check('failed', late, 'damaged')
    expect(await checked(host.repositoryId)).toEqual({ at: late, status: 'damaged' })
  })

  test('is not told by a host that has nothing to do with it', async () => {
    const [host, stranger] = [
      await makeHost(database.db, database.seal),
      await makeHost(database.db, database.seal),
    ]
    await end(
      database.db,
      { ...stranger, repositoryId: host.repositoryId },
      await run(database.db, stranger, { kind: 'check', spec: {} }),
      'succeeded',
    )
    expect(await checked(host.repositoryId)).toEqual({ at: undefined, status: null })
  })
})
