// Presence: beats are written together, silence shows, and only the newest session counts.
import { eq, sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '@restic-manager/testkit/until'
import { notify } from '../db/bus.ts'
import { hosts } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { connectMachine, enrolMachine, proveMachine } from '../testing-fleet.ts'
import { viewHost } from './host-views.ts'
import { createPresence, sweepSilentHosts } from './presence.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const stateOf = async (hostId: string) => (await viewHost(database.db, hostId)).state
const spool = { facts: 0, logBytes: 0 }
const beat = { spool, skewMs: 0 }
const silenceFor = (hostId: string, seconds: number) =>
  database.db
    .update(hosts)
    .set({ lastSeenAt: sql`now() - ${seconds} * interval '1 second'` })
    .where(eq(hosts.id, hostId))

test('a host that was silent too long is offline, one that was not stays online, and a beat brings it back', async () => {
  const [silent, lively] = [await enrolMachine(database.db), await enrolMachine(database.db)]
  const host = await connectMachine(database.db, silent)
  await connectMachine(database.db, lively)
  await silenceFor(silent.hostId, 46)
  await silenceFor(lively.hostId, 44)
  const swept = await Promise.all([
    sweepSilentHosts(database.db, 45_000),
    sweepSilentHosts(database.db, 45_000),
  ])
  expect(swept.flat()).toEqual([silent.hostId])
  expect(await stateOf(silent.hostId)).toBe('offline')
  expect(await stateOf(lively.hostId)).toBe('online')

  const presence = createPresence()
  presence.heard(host, beat)
  await presence.flush(database.db)
  expect(await stateOf(silent.hostId)).toBe('online')
})

test('two servers that write the presence of the same hosts at once both get through', async () => {
  const senders = []
  for (let count = 0; count < 20; count += 1)
    senders.push(await connectMachine(database.db, await enrolMachine(database.db)))
  for (let round = 0; round < 10; round += 1) {
    const [one, two] = [createPresence(), createPresence()]
    for (const sender of senders) one.heard(sender, beat)
    for (const sender of senders.toReversed()) two.heard(sender, beat)
    await Promise.all([one.flush(database.db), two.flush(database.db), sweepSilentHosts(database.db, 45_000)])
  }
  for (const sender of senders) expect(await stateOf(sender.id)).toBe('online')
})

test('a host whose row somebody holds keeps the news of nobody else from being written, and its own is written later', async () => {
  const [held, free] = [await enrolMachine(database.db), await enrolMachine(database.db)]
  const presence = createPresence()
  for (const machine of [held, free]) {
    presence.heard(await connectMachine(database.db, machine), beat)
    await silenceFor(machine.hostId, 46)
  }
  await sweepSilentHosts(database.db, 45_000)
  await database.db.transaction(async tx => {
    await tx.select().from(hosts).where(eq(hosts.id, held.hostId)).for('share')
    await presence.flush(database.db)
    expect(await stateOf(free.hostId)).toBe('online')
    expect(await stateOf(held.hostId)).toBe('offline')
  })
  await presence.flush(database.db)
  expect(await stateOf(held.hostId)).toBe('online')
})

test('a beat never brings a quarantined host online', async () => {
  const machine = await enrolMachine(database.db)
  const host = await connectMachine(database.db, machine)
  await expect(proveMachine(database.db, { ...machine, confirmed: null })).rejects.toMatchObject({
    code: 'host_quarantined',
  })
  const presence = createPresence()
  presence.heard(host, beat)
  await presence.flush(database.db)
  expect(await stateOf(machine.hostId)).toBe('quarantined')
  const [row] = await database.db.select().from(hosts).where(eq(hosts.id, machine.hostId))
  expect(row?.online).toBe(false)
})

test('news that could not be written is written later', async () => {
  const machine = await enrolMachine(database.db)
  const host = await connectMachine(database.db, machine)
  await silenceFor(machine.hostId, 60)
  const presence = createPresence()
  presence.heard(host, { spool: { facts: 5, logBytes: 0 }, skewMs: 0 })
  const other = await testDatabase()
  await other.sql`drop table hosts cascade`
  await expect(presence.flush(other.db)).rejects.toThrow('Failed query')
  await other.close()
  await presence.flush(database.db)
  expect((await viewHost(database.db, machine.hostId)).spool.facts).toBe(5)
})

test('what a host says of its spool stands on its page, whoever looks is told, and a parting leaves it', async () => {
  const machine = await enrolMachine(database.db)
  const host = await connectMachine(database.db, machine, { spoolResetAt: '2026-11-20T06:00:00.000Z' })
  const viewed = async () => (await viewHost(database.db, machine.hostId)).spool
  const resetAt = new Date('2026-11-20T06:00:00.000Z')
  expect(await viewed()).toEqual({ facts: 0, logBytes: 0, full: false, resetAt, setAside: null })

  const told: string[] = []
  const listening = await database.sql.listen('restic_manager', payload => void told.push(payload))
  const presence = createPresence()
  const setAside = { count: 2, name: 'job.finished', at: '2026-11-23T07:00:00.000Z', why: 'a bad word' }
  presence.heard(host, { spool: { facts: 2, logBytes: 7, full: true, setAside }, skewMs: 0 })
  await presence.flush(database.db)
  await until(() => told.includes(`host:${machine.hostId}`))
  await listening.unlisten()
  expect(await viewed()).toEqual({ facts: 2, logBytes: 7, full: true, resetAt, setAside })

  const gone = new AbortController()
  const later = createPresence()
  later.arrived(host, gone.signal)
  gone.abort()
  await later.flush(database.db)
  expect(await viewed()).toMatchObject({ full: true, setAside })
  later.heard(host, beat)
  await later.flush(database.db)
  expect(await viewed()).toMatchObject({ full: false, setAside: null })
})

test('a host whose clock is far off says so on its page, and whoever looks is told once when it begins and once when it ends (row 27)', async () => {
  const machine = await enrolMachine(database.db)
  const host = await connectMachine(database.db, machine)
  const told: string[] = []
  const listening = await database.sql.listen('restic_manager', payload => void told.push(payload))
  const presence = createPresence()
  const hear = async (skewMs: number) => {
    presence.heard(host, { spool, skewMs })
    await presence.flush(database.db)
    return (await viewHost(database.db, machine.hostId)).clockSkewMs
  }
  expect(await hear(29_000)).toBe(29_000)
  expect(await hear(-31_000)).toBe(-31_000)
  expect(await hear(-32_000)).toBe(-32_000)
  expect(await hear(1e15)).toBe(2_147_483_647)
  expect(await hear(0)).toBe(0)
  // What is told arrives in order: whatever came before this has come.
  await notify(database.db, 'host', 'the end')
  await until(() => told.includes('host:the end'))
  const mine = `host:${machine.hostId}`
  expect(told).toEqual([mine, mine, 'host:the end'])
  await listening.unlisten()
})
