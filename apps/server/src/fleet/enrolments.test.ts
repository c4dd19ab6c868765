// Enrolment: who gets in with a token, how often, and what a refusal leaves behind.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { eq, sql } from 'drizzle-orm'
import { enrolments } from '../db/schema-enrolments.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { enrolMachine, makeKey, quiet } from '../testing-fleet.ts'
import { listEnrolments, viewEnrolment } from './enrolment-views.ts'
import { createEnrolment, redeemEnrolment, revokeEnrolment } from './enrolments.ts'
import { removeHost } from './hosts.ts'
import { wholeFleet } from './scope.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const newToken = (over: { maxUses?: number; requestId?: string; tags?: string[] } = {}) =>
  createEnrolment(database.db, {
    requestId: newId(),
    lifeMinutes: 60,
    maxUses: 1,
    tags: [],
    createdBy: 'anna@example.com',
    ...over,
  })

const redeem = (token: string, { publicKey } = makeKey(), hostname = 'db-1') =>
  redeemEnrolment(database.db, { token, publicKey, hostname }, { log: quiet, address: '127.0.0.1' })

test('a token lets one machine in and is shown on its enrolment', async () => {
  const { enrolmentId, token } = await newToken({ tags: ['prod'] })
  const { hostId, hostName } = await redeem(token)
  expect(hostName).toBe('db-1')
  const view = await viewEnrolment(database.db, enrolmentId)
  expect(view).toMatchObject({
    usesLeft: 0,
    refusedCount: 0,
    hosts: [{ id: hostId, name: 'db-1', online: false, provedAt: null }],
  })
  expect((await listEnrolments(database.db, wholeFleet)).map(each => each.id)).toContain(enrolmentId)
})

test('only a hash of a token is stored', async () => {
  const { token } = await newToken()
  const stored = await database.sql`select enrolments::text as row from enrolments`
  expect(stored.map(({ row }) => row).join('\n')).not.toContain(token.slice(4))
})

test('the same key gets the same answer again, and a second key with the same token is refused and counted', async () => {
  const { enrolmentId, token } = await newToken()
  const key = makeKey()
  const first = await redeem(token, key)
  expect(await redeem(token, key)).toEqual(first)
  await expect(redeem(token)).rejects.toMatchObject({ code: 'token_refused' })
  expect(await viewEnrolment(database.db, enrolmentId)).toMatchObject({
    refusedCount: 1,
    usesLeft: 0,
    hosts: [{}],
  })
})

test('many machines at once with a token for three: three get in', async () => {
  const { enrolmentId, token } = await newToken({ maxUses: 3 })
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => redeem(token)))
  expect(outcomes.filter(outcome => outcome.status === 'fulfilled')).toHaveLength(3)
  expect(await viewEnrolment(database.db, enrolmentId)).toMatchObject({ usesLeft: 0, refusedCount: 5 })
})

test('one machine that asks many times at once uses the token once', async () => {
  const { enrolmentId, token } = await newToken({ maxUses: 3 })
  const key = makeKey()
  const answers = await Promise.all(Array.from({ length: 6 }, () => redeem(token, key)))
  expect(new Set(answers.map(answer => answer.hostId)).size).toBe(1)
  expect((await viewEnrolment(database.db, enrolmentId)).usesLeft).toBe(2)
})

test('an expired, a revoked and an unknown token are refused', async () => {
  const expired = await newToken()
  await database.db
    .update(enrolments)
    .set({ expiresAt: sql`now() - interval '1 second'` })
    .where(eq(enrolments.id, expired.enrolmentId))
  await expect(redeem(expired.token)).rejects.toMatchObject({ code: 'token_refused' })

  const revoked = await newToken()
  await revokeEnrolment(database.db, revoked.enrolmentId)
  await revokeEnrolment(database.db, revoked.enrolmentId)
  await expect(redeem(revoked.token)).rejects.toMatchObject({ code: 'token_refused' })

  await expect(redeem(`rmj_${'x'.repeat(43)}`)).rejects.toMatchObject({ code: 'token_refused' })
})

test('a repeated request makes no second token, because the first cannot be shown again', async () => {
  const requestId = newId()
  await newToken({ requestId })
  await expect(newToken({ requestId })).rejects.toMatchObject({ code: 'request_reused' })
})

test('the key of a removed host stays refused, whatever the token', async () => {
  const machine = await enrolMachine(database.db, 'gone-1')
  await removeHost(database.db, { hostId: machine.hostId, confirmName: 'gone-1' })
  const { token, enrolmentId } = await newToken()
  await expect(redeem(token, machine)).rejects.toMatchObject({ code: 'host_removed' })
  expect((await viewEnrolment(database.db, enrolmentId)).usesLeft).toBe(1)
})
