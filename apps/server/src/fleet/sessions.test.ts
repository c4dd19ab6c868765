// Sessions: an honest machine always gets in, a copy of it never unnoticed, and an older session never writes.
import { sign } from 'node:crypto'
import { eq, sql } from 'drizzle-orm'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { proofText } from '@restic-manager/contract/join'
import { encodeLine } from '@restic-manager/contract/log'
import { timing } from '@restic-manager/contract/timing'
import { hosts } from '../db/schema.ts'
import { agentSessions } from '../db/schema-sessions.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import {
  connectMachine,
  enrolMachine,
  helloOf,
  makeHost,
  makeKey,
  proveMachine,
  quiet,
} from '../testing-fleet.ts'
import { greetAgent } from './hello.ts'
import { startJob } from './job-reports.ts'
import { appendLog } from './logs.ts'
import { nextOrders, nothingSent } from './orders.ts'
import { challengeSession, claimBearer, judgeSession, proveSession } from './sessions.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const hostRow = async (hostId: string) => {
  const [row] = await database.db.select().from(hosts).where(eq(hosts.id, hostId))
  if (row === undefined) throw new Error('no such host')
  return row
}

test('a bearer opens one upgrade, once', async () => {
  const machine = await enrolMachine(database.db)
  const { bearer } = await proveMachine(database.db, machine)
  expect(await claimBearer(database.db, bearer)).toMatchObject({ id: machine.hostId })
  await expect(claimBearer(database.db, bearer)).rejects.toMatchObject({ code: 'session_unproven' })
  await expect(claimBearer(database.db, 'nonsense')).rejects.toMatchObject({ code: 'session_unproven' })
})

test('of many upgrades at once with one bearer, one succeeds', async () => {
  const { bearer } = await proveMachine(database.db, await enrolMachine(database.db))
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => claimBearer(database.db, bearer)))
  expect(outcomes.filter(outcome => outcome.status === 'fulfilled')).toHaveLength(1)
})

test('a bearer is too old after its minute', async () => {
  const machine = await enrolMachine(database.db)
  const { bearer } = await proveMachine(database.db, machine)
  await database.db
    .update(agentSessions)
    .set({ bearerExpiresAt: sql`now() - interval '1 second'` })
    .where(eq(agentSessions.hostId, machine.hostId))
  await expect(claimBearer(database.db, bearer)).rejects.toMatchObject({ code: 'session_unproven' })
})

test('a nonce proves once, and only for its own host', async () => {
  const machine = await enrolMachine(database.db)
  const other = await enrolMachine(database.db)
  const { nonce } = await challengeSession(database.db, other.hostId, timing.bearerLife)
  const proof = {
    hostId: machine.hostId,
    nonce,
    confirmed: null,
    next: machine.next,
    signature: 'A'.repeat(86),
  }
  const prove = () => proveSession(database.db, proof, { log: quiet, bearerLife: timing.bearerLife })
  await expect(prove()).rejects.toMatchObject({ code: 'session_unproven' })
})

test('a signature by another key is refused and the nonce is spent', async () => {
  const machine = await enrolMachine(database.db)
  await expect(
    proveMachine(database.db, { ...machine, privateKey: makeKey().privateKey }),
  ).rejects.toMatchObject({
    code: 'session_unproven',
  })
  expect(await hostRow(machine.hostId)).toMatchObject({ quarantinedAt: null, sessionId: null })
})

test('a retry of the same session fences the connection it repeats', async () => {
  const machine = await enrolMachine(database.db)
  const first = await claimBearer(database.db, (await proveMachine(database.db, machine)).bearer)
  const again = await claimBearer(database.db, (await proveMachine(database.db, machine)).bearer)
  expect(again.session).toBeGreaterThan(first.session)
  const greet = greetAgent(database.db, first, helloOf(), { serverVersion: '0.1.0', timing, log: quiet })
  await expect(greet).rejects.toMatchObject({ code: 'session_fenced' })
})

test('a bearer of an older proof is dead once a newer one was made', async () => {
  const machine = await enrolMachine(database.db)
  const { bearer } = await proveMachine(database.db, machine)
  await proveMachine(database.db, machine)
  await expect(claimBearer(database.db, bearer)).rejects.toMatchObject({ code: 'session_unproven' })
})

test('a proof that was held up, as in a paused server, and comes after the host has gone on, changes nothing', async () => {
  const machine = await enrolMachine(database.db)
  const { hostId, privateKey } = machine
  const { nonce } = await challengeSession(database.db, hostId, timing.bearerLife)
  const said = { hostId, nonce, confirmed: null, next: machine.next }
  const late = {
    ...said,
    signature: sign(null, Buffer.from(proofText(said)), privateKey).toString('base64url'),
  }
  await connectMachine(database.db, machine)
  await connectMachine(database.db, machine)
  const before = await hostRow(hostId)
  const prove = proveSession(database.db, late, { log: quiet, bearerLife: timing.bearerLife })
  await expect(prove).rejects.toMatchObject({ code: 'session_unproven' })
  expect(await hostRow(hostId)).toEqual(before)
  await connectMachine(database.db, machine)
})

describe('two machines with one key', () => {
  test('the copy that comes second is seen, and both are quarantined', async () => {
    const machine = await enrolMachine(database.db)
    await connectMachine(database.db, machine)
    const copy = { ...machine, next: newId() }
    await connectMachine(database.db, machine)
    await expect(proveMachine(database.db, copy)).rejects.toMatchObject({ code: 'host_quarantined' })
    expect((await hostRow(machine.hostId)).quarantinedAt).not.toBeNull()
    await expect(proveMachine(database.db, machine)).rejects.toMatchObject({ code: 'host_quarantined' })
  })

  test('the original is stopped too when the copy came first', async () => {
    const machine = await enrolMachine(database.db)
    await connectMachine(database.db, machine)
    await connectMachine(database.db, { ...machine, next: newId() })
    await expect(connectMachine(database.db, machine)).rejects.toMatchObject({ code: 'host_quarantined' })
  })

  test('copies of a machine that never connected are seen', async () => {
    const machine = await enrolMachine(database.db)
    await connectMachine(database.db, { ...machine })
    await expect(proveMachine(database.db, { ...machine, next: newId() })).rejects.toMatchObject({
      code: 'host_quarantined',
    })
  })

  test('the write of a connection that was open meanwhile changes nothing', async () => {
    const machine = await enrolMachine(database.db)
    const sender = await connectMachine(database.db, machine)
    await expect(
      proveMachine(database.db, { ...machine, confirmed: null, next: newId() }),
    ).rejects.toMatchObject({
      code: 'host_quarantined',
    })
    await expect(
      greetAgent(database.db, sender, helloOf(), { serverVersion: '0.1.0', timing, log: quiet }),
    ).rejects.toMatchObject({ code: 'session_fenced' })
  })
})

test('a session that began before a standby took the place of the database changes nothing and is told nothing', async () => {
  const { db, seal } = database
  const host = await makeHost(db, seal)
  const { jobId } = await host.backUp()
  const before = { ...host.sender, timeline: '0000FFFF' }
  const startedAt = new Date().toISOString()
  const block = { jobId, firstSeq: 0, count: 1, startedAt, block: encodeLine(0, 'stdout', 'a line') }
  const started = {
    ...{ ...host.fact(), jobId, kind: 'backup' as const, repositoryId: host.repositoryId, startedAt },
    ...{ command: 'restic backup', resticVersion: '0.18.0' },
  }
  const asked = [
    () => startJob(db, before, started),
    () => appendLog(db, before, block),
    () => nextOrders(db, seal, before, nothingSent()),
    () => greetAgent(db, before, helloOf(), { serverVersion: '0.1.0', timing, log: quiet }),
  ]
  for (const ask of asked) await expect(ask()).rejects.toMatchObject({ code: 'session_fenced' })
  expect(await startJob(db, host.sender, started)).toEqual({ seq: started.seq })
  expect(await appendLog(db, host.sender, block)).toEqual({ nextSeq: 1 })
})

test('a database from an older dump accepts the machine it remembers less of, and sees a copy of it afterwards', async () => {
  const machine = await enrolMachine(database.db)
  await connectMachine(database.db, machine)
  const older = await hostRow(machine.hostId)
  await connectMachine(database.db, machine)
  const confirmedLater = machine.confirmed ?? ''
  const copy = { ...machine, next: newId() }
  await database.db.delete(agentSessions).where(eq(agentSessions.id, confirmedLater))
  await database.db.update(hosts).set({ sessionId: older.sessionId }).where(eq(hosts.id, machine.hostId))

  await connectMachine(database.db, machine)
  await expect(proveMachine(database.db, copy)).rejects.toMatchObject({ code: 'host_quarantined' })
})

/** What may happen to an honest machine and its server, in any order. */
const steps = [
  'prove, answer lost',
  'prove, hello, answer lost',
  'connect',
  'restore older dump',
  'take dump',
] as const

test('an honest machine is never taken for a copy, wherever either end crashes', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...steps), { maxLength: 60 }), history => {
      let disk: { confirmed: string | null; next: string } = { confirmed: null, next: newId() }
      let server: { has: string | null; known: Set<string> } = { has: null, known: new Set() }
      let dump = server
      const verdicts = new Set<string>()
      for (const step of history) {
        if (step === 'take dump') dump = { has: server.has, known: new Set(server.known) }
        else if (step === 'restore older dump') server = { has: dump.has, known: new Set(dump.known) }
        else {
          const verdict = judgeSession(disk, { has: server.has, used: id => server.known.has(id) })
          verdicts.add(verdict)
          server.has = disk.next
          server.known.add(disk.next)
          if (disk.confirmed !== null) server.known.add(disk.confirmed)
          if (step === 'connect') disk = { confirmed: disk.next, next: newId() }
        }
      }
      expect(verdicts).not.toContain('clone')
    }),
    { numRuns: 500 },
  )
})

test('two machines with one key are found out once both have connected, whatever happened between them', () => {
  type Disk = { confirmed: string | null; next: string }
  const acts = ['prove, answer lost', 'connect', 'take dump', 'restore older dump'] as const
  const step = fc.record({ who: fc.constantFrom(0, 1), act: fc.constantFrom(...acts) })
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...acts), { maxLength: 10 }),
      fc.array(step, { maxLength: 20 }),
      (before, since) => {
        let server: { has: string | null; known: Set<string> } = { has: null, known: new Set() }
        let dump = server
        let isFoundOut = false
        const play = (disk: Disk, act: (typeof acts)[number]): Disk => {
          if (act === 'take dump') dump = { has: server.has, known: new Set(server.known) }
          else if (act === 'restore older dump') server = { has: dump.has, known: new Set(dump.known) }
          else {
            const verdict = judgeSession(disk, { has: server.has, used: id => server.known.has(id) })
            isFoundOut ||= verdict === 'clone'
            if (verdict === 'clone') return disk
            server.has = disk.next
            server.known.add(disk.next)
            if (disk.confirmed !== null) server.known.add(disk.confirmed)
            if (act === 'connect') return { confirmed: disk.next, next: newId() }
          }
          return disk
        }
        let disk: Disk = { confirmed: null, next: newId() }
        for (const act of before) disk = play(disk, act)
        expect(isFoundOut).toBe(false)
        const machines: [Disk, Disk] = [disk, { ...disk }]
        // A copy that was made between two dials makes up a session of its own.
        if (since.length % 2 === 0) machines[1].next = newId()
        for (const { who, act } of since) machines[who as 0 | 1] = play(machines[who as 0 | 1], act)
        for (const who of [0, 1, 0, 1] as const) machines[who] = play(machines[who], 'connect')
        expect(isFoundOut).toBe(true)
      },
    ),
    { numRuns: 500 },
  )
})
