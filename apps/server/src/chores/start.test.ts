// Chores: they come round, one failure costs one round, and stopping waits for what is under way.
import { eq } from 'drizzle-orm'
import { expect, test, vi } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { timing } from '@restic-manager/contract/timing'
import { createOperator } from '../auth/operators.ts'
import { jobs } from '../db/schema.ts'
import { sessionChallenges } from '../db/schema-sessions.ts'
import { operatorSessions, signInLimits } from '../db/schema-operators.ts'
import { viewHost } from '../fleet/host-views.ts'
import { viewJob } from '../fleet/job-views.ts'
import { clearLeftovers } from '../fleet/leftovers.ts'
import { createPresence } from '../fleet/presence.ts'
import { testDatabase } from '../testing.ts'
import { makeHost, quiet } from '../testing-fleet.ts'
import { repeat } from './repeat.ts'
import { startChores } from './start.ts'

test('a chore that fails comes round again', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  let rounds = 0
  const stop = repeat('fail first', 1, quiet, async () => {
    rounds += 1
    if (rounds === 1) throw new Error('the first round fails')
    resolve()
  })
  await promise
  await stop()
  expect(rounds).toBeGreaterThanOrEqual(2)
})

test('stopping waits for the round under way, and none comes after', async () => {
  const under = Promise.withResolvers<void>()
  const release = Promise.withResolvers<void>()
  let ended = 0
  const stop = repeat('wait', 1, quiet, async () => {
    under.resolve()
    await release.promise
    ended += 1
  })
  await under.promise
  const stopped = stop()
  release.resolve()
  await stopped
  expect(ended).toBe(1)
})

test('a running server expires jobs, and writes down who has left when it stops', async () => {
  await using database = await testDatabase()
  const host = await makeHost(database.db, database.seal)
  const { jobId } = await host.backUp()
  await database.db
    .update(jobs)
    .set({ expiresAt: new Date(0) })
    .where(eq(jobs.id, jobId))
  const presence = createPresence()
  const socket = new AbortController()
  presence.arrived(host.sender, socket.signal)
  const periods = { presence: 5, sweep: 5, expiry: 5, lines: 5 }
  const stop = startChores({ db: database.db, log: quiet, timing, presence }, periods)
  await vi.waitFor(
    async () => expect(await viewJob(database.db, jobId)).toMatchObject({ status: 'expired' }),
    20_000,
  )
  socket.abort()
  await stop()
  expect(await viewHost(database.db, host.hostId)).toMatchObject({
    state: 'offline',
    lastJob: { status: 'expired' },
  })
})

test('spent challenges go, fresh ones stay', async () => {
  await using database = await testDatabase()
  const { hostId } = await makeHost(database.db, database.seal)
  await database.db.insert(sessionChallenges).values([
    { nonce: 'old', hostId, expiresAt: new Date(0) },
    { nonce: 'fresh', hostId, expiresAt: new Date(Date.now() + 60_000) },
  ])
  await clearLeftovers(database.db)
  expect(await database.db.select().from(sessionChallenges)).toMatchObject([{ nonce: 'fresh' }])
})

test('sessions that ran out and old counts of sign-in attempts go, the others stay', async () => {
  await using database = await testDatabase()
  const { db } = database
  const anna = { email: 'anna@example.com', name: 'Anna', passwordHash: 'x', role: 'viewer' } as const
  const userId = await createOperator(db, anna)
  const session = (token: string, expiresAt: Date) => ({ id: newId(), userId, token, expiresAt })
  await db
    .insert(operatorSessions)
    .values([session('old', new Date(Date.now() - 1_000)), session('fresh', new Date(Date.now() + 60_000))])
  await db.insert(signInLimits).values([
    { id: newId(), key: 'old', count: 1, lastRequest: Date.now() - 2 * 3_600_000 },
    { id: newId(), key: 'fresh', count: 1, lastRequest: Date.now() },
  ])
  await clearLeftovers(db)
  expect(await db.select().from(operatorSessions)).toMatchObject([{ token: 'fresh' }])
  expect(await db.select().from(signInLimits)).toMatchObject([{ key: 'fresh' }])
})
