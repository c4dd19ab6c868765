// Alerts: one for each thing that is wrong, however often it happens, and only for those who see what it is about.
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { enrolments } from '../db/schema-enrolments.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { connectMachine, enrolMachine, makeHost, makeKey, proveMachine, quiet } from '../testing-fleet.ts'
import { alertPage } from './alert-views.ts'
import { acknowledgeAlert, clearAlerts, raiseAlert } from './alerts.ts'
import { createEnrolment, redeemEnrolment } from './enrolments.ts'
import { ForeignId } from './facts.ts'
import { countForeignIds } from './foreign-ids.ts'
import { removeHost, updateHost } from './hosts.ts'
import { requireWithin, type Scope, wholeFleet } from './scope.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const list = (over: Partial<Parameters<typeof alertPage>[2]> = {}, scope: Scope = wholeFleet) =>
  alertPage(database.db, scope, { which: 'open', limit: 100, ...over })
const about = async (id: string, which: 'open' | 'all' = 'open') =>
  (await list({ which })).rows.filter(alert => alert.host?.id === id || alert.enrolmentId === id)

const newToken = (tags: string[] = []) =>
  createEnrolment(database.db, {
    ...{ requestId: newId(), lifeMinutes: 60, maxUses: 1, tags, createdBy: 'anna' },
  })
const redeem = (token: string) =>
  redeemEnrolment(
    database.db,
    { token, publicKey: makeKey().publicKey, hostname: 'db-1' },
    { log: quiet, address: '198.51.100.7' },
  )

test('a token that is tried again raises one alert that counts, and says from where', async () => {
  const { token, enrolmentId } = await newToken()
  await redeem(token)
  expect(await about(enrolmentId)).toEqual([])
  for (let again = 0; again < 3; again += 1)
    await expect(redeem(token)).rejects.toMatchObject({ code: 'token_refused' })
  expect(await about(enrolmentId)).toMatchObject([
    { kind: 'token_reused', count: 3, sentence: expect.stringContaining('198.51.100.7') },
  ])
})

test('a token that was never used and is merely too late raises none', async () => {
  const { token, enrolmentId } = await newToken()
  await database.db
    .update(enrolments)
    .set({ expiresAt: sql`now() - interval '1 second'` })
    .where(eq(enrolments.id, enrolmentId))
  await expect(redeem(token)).rejects.toMatchObject({ code: 'token_refused' })
  expect(await about(enrolmentId)).toEqual([])
})

test('an event is over once somebody has seen it, and opens a new alert when it happens again', async () => {
  const { token, enrolmentId } = await newToken()
  await redeem(token)
  await redeem(token).catch(() => undefined)
  const [first] = await about(enrolmentId)
  await acknowledgeAlert(database.db, first?.id ?? '', 'anna@example.com')
  await acknowledgeAlert(database.db, first?.id ?? '', 'bob@example.com')
  expect(await about(enrolmentId)).toEqual([])
  await redeem(token).catch(() => undefined)
  expect(await about(enrolmentId, 'all')).toMatchObject([
    { count: 1, acknowledgedAt: null, clearedAt: null },
    { id: first?.id, acknowledgedBy: 'anna@example.com', clearedAt: expect.any(Date) },
  ])
  await expect(acknowledgeAlert(database.db, newId(), 'anna')).rejects.toMatchObject({
    code: 'alert_not_found',
  })
})

test('two machines with one key raise an alert that stays when it is acknowledged, until the host is gone', async () => {
  const machine = await enrolMachine(database.db, 'cloned-1')
  await connectMachine(database.db, machine)
  const copy = { ...machine, next: newId() }
  await connectMachine(database.db, machine)
  await expect(proveMachine(database.db, copy)).rejects.toMatchObject({ code: 'host_quarantined' })
  const [alert] = await about(machine.hostId)
  expect(alert).toMatchObject({ kind: 'host_cloned', host: { name: 'cloned-1' } })
  const before = (await list()).openCount
  await acknowledgeAlert(database.db, alert?.id ?? '', 'anna')
  expect((await list()).openCount).toBe(before - 1)
  expect(await about(machine.hostId)).toMatchObject([{ acknowledgedBy: 'anna' }])
  await removeHost(database.db, { hostId: machine.hostId, confirmName: 'cloned-1' })
  expect(await about(machine.hostId)).toEqual([])
})

test('a host that names what is not its own is reported once, with how often', async () => {
  const { db, seal } = database
  const host = await makeHost(db, seal, 'odd-1')
  const lie = () => Promise.reject(new ForeignId('job_not_found', 'There is no such job.'))
  for (let again = 0; again < 5; again += 1)
    await expect(countForeignIds({ db, host: host.sender, log: quiet }, newId(), lie)).rejects.toThrow()
  expect(await about(host.hostId)).toMatchObject([{ kind: 'foreign_ids', count: 5 }])
})

test('who is limited to tags sees alerts of these hosts and enrolments only, and cannot acknowledge others', async () => {
  const seen = await newToken(['prod'])
  const hidden = await newToken(['lab'])
  for (const { token } of [seen, hidden]) {
    await redeem(token)
    await redeem(token).catch(() => undefined)
  }
  const host = await enrolMachine(database.db, 'tagged-1', { needsApproval: true })
  await updateHost(database.db, { hostId: host.hostId, tags: ['prod', 'eu'] })
  const { rows, openCount } = await list({}, ['prod'])
  expect(rows.map(({ host: of, enrolmentId }) => of?.id ?? enrolmentId)).toEqual([
    seen.enrolmentId,
    host.hostId,
  ])
  expect(openCount).toBe(2)
  const [foreign] = await about(hidden.enrolmentId)
  const ask = requireWithin(database.db, ['prod'], [{ kind: 'alert', id: foreign?.id ?? '' }])
  await expect(ask).rejects.toMatchObject({ code: 'alert_not_found' })
})

test('many at once make one alert, and pages hold each exactly once', async () => {
  const { hostId } = await enrolMachine(database.db)
  const news = { kind: 'foreign_ids', subject: hostId, hostId, sentence: 'It lied.' } as const
  await Promise.all(Array.from({ length: 20 }, () => raiseAlert(database.db, news)))
  expect(await about(hostId)).toMatchObject([{ count: 20 }])
  for (let round = 0; round < 5; round += 1) {
    await clearAlerts(database.db, hostId, ['foreign_ids'])
    await raiseAlert(database.db, news)
  }
  const ids: string[] = []
  let cursor: string | undefined
  do {
    const page = await list({ which: 'all', limit: 2, hostId, ...(cursor === undefined ? {} : { cursor }) })
    ids.push(...page.rows.map(alert => alert.id))
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
  expect(ids).toHaveLength(6)
  expect(new Set(ids).size).toBe(6)
})
