// Release from quarantine: the first machine that comes back is the host, tells everything anew, and its copy stays out.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { timing } from '@restic-manager/contract/timing'
import { hosts } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { connectMachine, enrolMachine, helloOf, type Machine, proveMachine, quiet } from '../testing-fleet.ts'
import { alertPage } from './alert-views.ts'
import { greetAgent } from './hello.ts'
import { releaseHost } from './quarantine.ts'
import { claimBearer } from './sessions.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const alertsOf = async (hostId: string) => {
  const { rows } = await alertPage(database.db, undefined, { which: 'open', limit: 10, hostId })
  return rows.map(({ kind, count }) => `${kind} ${count}`)
}

/** A machine and its copy, found out. */
async function clones(): Promise<[Machine, Machine]> {
  const machine = await enrolMachine(database.db)
  await connectMachine(database.db, machine)
  const copy = { ...machine, next: newId() }
  await connectMachine(database.db, machine)
  await expect(proveMachine(database.db, copy)).rejects.toMatchObject({ code: 'host_quarantined' })
  return [machine, copy]
}
const release = ({ hostId }: Machine) => releaseHost(database.db, { hostId, confirmName: 'web-1' })

test.each(['the original', 'the copy'])('when %s comes back first, it is the host', async who => {
  const [machine, copy] = await clones()
  const [first, other] = who === 'the copy' ? [copy, machine] : [machine, copy]
  await release(machine)
  await connectMachine(database.db, first)
  for (let dial = 0; dial < 3; dial += 1)
    await expect(proveMachine(database.db, other)).rejects.toMatchObject({ code: 'host_quarantined' })
  expect(await alertsOf(machine.hostId)).toEqual(['copy_turned_away 3'])
  await connectMachine(database.db, first)
  await connectMachine(database.db, first)
})

test('a copy made of the released machine is found out like any other', async () => {
  const [machine] = await clones()
  await release(machine)
  await connectMachine(database.db, machine)
  const copy = { ...machine, next: newId() }
  await connectMachine(database.db, machine)
  await expect(proveMachine(database.db, copy)).rejects.toMatchObject({ code: 'host_quarantined' })
  const [row] = await database.db.select().from(hosts).where(eq(hosts.id, machine.hostId))
  expect(row?.quarantinedAt).not.toBeNull()
})

test('the spool of before is called older than what is committed, so that all of it is told anew under another name', async () => {
  const machine = await enrolMachine(database.db)
  const spoolEpoch = newId()
  const greet = async (epoch: string) => {
    const { bearer } = await proveMachine(database.db, machine)
    const session = await claimBearer(database.db, bearer)
    machine.confirmed = machine.next
    machine.next = newId()
    const words = { serverVersion: '0.1.0', timing, log: quiet }
    return greetAgent(database.db, session, helloOf({ spoolEpoch: epoch }), words)
  }
  expect((await greet(spoolEpoch)).ackedSeq).toEqual({ first: 0, rest: 0 })
  const copy = { ...machine, next: newId() }
  await greet(spoolEpoch)
  await proveMachine(database.db, copy).catch(() => undefined)
  await release(machine)
  const { MAX_SAFE_INTEGER: most } = Number
  expect((await greet(spoolEpoch)).ackedSeq).toEqual({ first: most, rest: most })
  expect((await greet(newId())).ackedSeq).toEqual({ first: 0, rest: 0 })
})

test('only a quarantined host is released, and only by its name', async () => {
  const machine = await enrolMachine(database.db)
  await expect(release(machine)).rejects.toMatchObject({ code: 'host_not_quarantined' })
  const wrong = releaseHost(database.db, { hostId: machine.hostId, confirmName: 'web-2' })
  await expect(wrong).rejects.toMatchObject({ code: 'not_confirmed' })
})
