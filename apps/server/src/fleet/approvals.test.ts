// Approval: a host that waits is told nothing, and goes on as soon as an admin lets it in.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { timing } from '@restic-manager/contract/timing'
import { fingerprintOf } from '@restic-manager/runtime/fingerprint'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { connectMachine, enrolMachine, makeHost, proveMachine, quiet } from '../testing-fleet.ts'
import { alertPage } from './alert-views.ts'
import { approveHost, rejectHost } from './approvals.ts'
import { viewEnrolment } from './enrolment-views.ts'
import { createEnrolment, redeemEnrolment } from './enrolments.ts'
import { viewHost } from './host-views.ts'
import { runJob } from './jobs.ts'
import { wholeFleet } from './scope.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

const waitingMachine = () => enrolMachine(database.db, 'web-1', { needsApproval: true })
const openAlerts = async (hostId: string) => {
  const { rows } = await alertPage(database.db, wholeFleet, { which: 'open', limit: 10, hostId })
  return rows.map(alert => alert.kind)
}

test('a host that waits gets no session, whatever it proves, and is shown with the fingerprint of its key', async () => {
  const machine = await waitingMachine()
  for (let dial = 0; dial < 3; dial += 1)
    await expect(proveMachine(database.db, machine)).rejects.toMatchObject({ code: 'host_waiting' })
  expect(await viewHost(database.db, machine.hostId)).toMatchObject({
    state: 'waiting',
    fingerprint: fingerprintOf(machine.publicKey),
  })
  expect(await openAlerts(machine.hostId)).toEqual(['host_waiting'])
})

test('it gets in with the session it offered all along once it is approved, and its alert is cleared', async () => {
  const machine = await waitingMachine()
  await expect(proveMachine(database.db, machine)).rejects.toMatchObject({ code: 'host_waiting' })
  await approveHost(database.db, machine.hostId)
  await approveHost(database.db, machine.hostId)
  await connectMachine(database.db, machine)
  expect((await viewHost(database.db, machine.hostId)).state).toBe('online')
  expect(await openAlerts(machine.hostId)).toEqual([])
})

test('a rejected host is refused for ever, and cannot be rejected once it is in', async () => {
  const machine = await waitingMachine()
  await rejectHost(database.db, machine.hostId)
  await expect(proveMachine(database.db, machine)).rejects.toMatchObject({ code: 'host_removed' })
  expect(await openAlerts(machine.hostId)).toEqual([])
  const other = await waitingMachine()
  await approveHost(database.db, other.hostId)
  await expect(rejectHost(database.db, other.hostId)).rejects.toMatchObject({ code: 'host_not_waiting' })
  await expect(rejectHost(database.db, newId())).rejects.toMatchObject({ code: 'host_not_found' })
})

test('nobody can order anything of a host that waits', async () => {
  const host = await makeHost(database.db, database.seal)
  const machine = await waitingMachine()
  const wish = { requestId: newId(), hostId: machine.hostId, repositoryId: host.repositoryId }
  const run = runJob(database.db, { ...wish, kind: 'probe', spec: {} }, { requestedBy: 'anna', ...timing })
  await expect(run).rejects.toMatchObject({ code: 'host_waiting' })
})

test('a token with approval never makes a host wait that is in, and one without lets a waiting host in', async () => {
  const token = (needsApproval: boolean) =>
    createEnrolment(database.db, {
      ...{ requestId: newId(), lifeMinutes: 60, maxUses: 1, tags: [], createdBy: 'anna', needsApproval },
    })
  const redeem = async ({ token: word }: { token: string }, publicKey: string) =>
    redeemEnrolment(
      database.db,
      { token: word, publicKey, hostname: 'web-1' },
      { log: quiet, address: '127.0.0.1' },
    )
  const known = await enrolMachine(database.db)
  expect(await redeem(await token(true), known.publicKey)).toEqual({
    hostId: known.hostId,
    hostName: 'web-1',
  })
  await connectMachine(database.db, known)

  const asking = await token(true)
  const machine = await waitingMachine()
  expect(await redeem(asking, machine.publicKey)).toMatchObject({ waitsForApproval: true })
  expect(await viewEnrolment(database.db, asking.enrolmentId)).toMatchObject({
    needsApproval: true,
    hosts: [{ waitsSince: expect.any(Date), fingerprint: fingerprintOf(machine.publicKey) }],
  })
  expect(await redeem(await token(false), machine.publicKey)).not.toHaveProperty('waitsForApproval')
  await connectMachine(database.db, machine)
  expect(await openAlerts(machine.hostId)).toEqual([])
})
