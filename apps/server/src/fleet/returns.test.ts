// Hosts that come back at the same moment: each is judged by itself, and none has to wait for another.
import { sign } from 'node:crypto'
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { proofText } from '@restic-manager/contract/join'
import { timing } from '@restic-manager/contract/timing'
import { hosts } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { connectMachine, enrolMachine, helloOf, type Machine, proveMachine, quiet } from '../testing-fleet.ts'
import { greetAgent } from './hello.ts'
import { challengeSession, claimBearer, proveSession } from './sessions.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const makeFleet = async (size: number) => {
  const machines: Machine[] = []
  for (let made = 0; made < size; made += 1) machines.push(await enrolMachine(database.db, `web-${made}`))
  await Promise.all(machines.map(machine => connectMachine(database.db, machine)))
  return machines
}
const codesOf = (settled: PromiseSettledResult<unknown>[]) =>
  settled.map(one => (one.status === 'fulfilled' ? 'in' : (one.reason as { code?: string }).code))

test('of a copy and its original that prove themselves in the same moment one gets in, and both are shut out when the other tries again', async () => {
  const [original, ...others] = await makeFleet(4)
  if (original === undefined) throw new Error('no machine')
  const copy = { ...original, next: newId() }
  const [first, second, ...rest] = codesOf(
    await Promise.allSettled([original, copy, ...others].map(machine => proveMachine(database.db, machine))),
  )
  expect(rest).toEqual(['in', 'in', 'in'])
  expect([first, second].filter(code => code === 'in')).toHaveLength(1)
  await expect(proveMachine(database.db, first === 'in' ? copy : original)).rejects.toMatchObject({
    code: 'host_quarantined',
  })
})

test('one proof that comes several times at once is good once', async () => {
  const [machine] = await makeFleet(1)
  if (machine === undefined) throw new Error('no machine')
  const { hostId, confirmed, next, privateKey } = machine
  const { nonce } = await challengeSession(database.db, hostId, timing.bearerLife)
  const said = { hostId, nonce, confirmed, next }
  const signature = sign(null, Buffer.from(proofText(said)), privateKey).toString('base64url')
  const prove = () =>
    proveSession(database.db, { ...said, signature }, { log: quiet, bearerLife: timing.bearerLife })
  const codes = codesOf(await Promise.allSettled([prove(), prove(), prove()]))
  expect(codes.toSorted()).toEqual(['in', 'session_unproven', 'session_unproven'])
})

test('a wrong signature, an old session and a host that was removed are refused among others that get in', async () => {
  const [forger, fenced, removed, honest] = await makeFleet(4)
  if (!forger || !fenced || !removed || !honest) throw new Error('no machines')
  const { db } = database
  const olds = await claimBearer(db, (await proveMachine(db, fenced)).bearer)
  await proveMachine(db, fenced)
  const gone = await claimBearer(db, (await proveMachine(db, removed)).bearer)
  await db.update(hosts).set({ removedAt: new Date() }).where(eq(hosts.id, removed.hostId))
  const greet = (session: typeof olds) =>
    greetAgent(db, session, helloOf(), { serverVersion: '0.1.0', timing, log: quiet })
  const settled = await Promise.allSettled([
    proveMachine(db, { ...forger, privateKey: honest.privateKey }),
    greet(olds),
    greet(gone),
    proveMachine(db, removed),
    connectMachine(db, honest),
  ])
  expect(codesOf(settled)).toEqual([
    'session_unproven',
    'session_fenced',
    'session_fenced',
    'host_removed',
    'in',
  ])
})

test('nobody waits for the row of another host that somebody holds', async () => {
  const [held, free] = await makeFleet(2)
  if (held === undefined || free === undefined) throw new Error('no machines')
  const { promise: letGo, resolve } = Promise.withResolvers<void>()
  let isHeldIn = false
  const taken = Promise.withResolvers<void>()
  const holding = database.db.transaction(async tx => {
    await tx.select({ id: hosts.id }).from(hosts).where(eq(hosts.id, held.hostId)).for('no key update')
    taken.resolve()
    await letGo
  })
  await taken.promise
  const waiting = connectMachine(database.db, held).then(() => (isHeldIn = true))
  await connectMachine(database.db, free)
  expect(isHeldIn).toBe(false)
  resolve()
  await Promise.all([holding, waiting])
  expect(isHeldIn).toBe(true)
})
