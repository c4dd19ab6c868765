// What is refused to whoever does not see all who share a repository is refused by every way there is to it, and so is what needs a fresh factor.
import { eq, inArray } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import type { Principal } from '../context.ts'
import { operatorSessions } from '../db/schema-operators.ts'
import { hosts } from '../db/schema.ts'
import { cancelJob } from '../fleet/jobs.ts'
import { asAnna } from '../testing-fleet.ts'
import { makeVault, run, type Vault } from '../testing-maintenance.ts'
import { type OperatorServer, operatorServer, signedIn } from '../testing-routers.ts'
import { planOn } from '../testing-schedules.ts'

let server: OperatorServer
let vault: Vault
let some: Principal
beforeAll(async () => {
  server = await operatorServer()
  const { db, seal } = server.database
  vault = await makeVault(db, seal)
  const own = [vault.one.hostId, vault.keeper.hostId]
  await db
    .update(hosts)
    .set({ tags: ['own'] })
    .where(inArray(hosts.id, own))
  some = await signedIn(db, 'operator', ['own'])
})
afterAll(() => server.close())

const ask = (caller: Principal, path: string, input: object) => server.call(caller, 'mutation', path, input)
const refused = { refusal: 'not_allowed', message: expect.stringContaining('Hosts that you do not see') }

test('a prune of a shared repository is refused by hand, by its schedule, by trying again and by waking its schedule', async () => {
  const { db } = server.database
  const { keeper, repositoryId } = vault
  const scheduleId = await planOn(db, keeper, { kind: 'prune', enabled: false })
  const jobId = await run(db, keeper, { kind: 'prune', spec: {} })
  await cancelJob(db, { jobId, ...asAnna })
  const by = { requestId: newId(), hostId: keeper.hostId, repositoryId, kind: 'prune', spec: {} }
  expect(await ask(some, 'jobs.run', by)).toMatchObject(refused)
  expect(await ask(some, 'schedules.runNow', { requestId: newId(), scheduleId })).toMatchObject(refused)
  expect(await ask(some, 'jobs.retry', { requestId: newId(), jobId })).toMatchObject(refused)
  const wake = { scheduleId, version: 1, enabled: true }
  expect(await ask(some, 'schedules.setEnabled', wake)).toMatchObject(refused)
})

test('the retention of a host that somebody sees is theirs to run, also where others share the repository', async () => {
  const { db } = server.database
  const backup = await planOn(db, vault.one)
  const forget = { kind: 'forget' as const, retention: { daily: 7 }, forgets: [backup], paths: undefined }
  const scheduleId = await planOn(db, vault.one, forget)
  const made = await ask(some, 'schedules.runNow', { requestId: newId(), scheduleId })
  expect(made).toMatchObject({ status: 200 })
})

test('to wake a schedule that removes something needs a fresh factor, to let it rest does not', async () => {
  const { db } = server.database
  const scheduleId = await planOn(db, vault.keeper, { kind: 'prune' })
  const stale = await signedIn(db, 'operator')
  await db
    .update(operatorSessions)
    .set({ provedAt: new Date(0) })
    .where(eq(operatorSessions.userId, stale.operatorId))
  const set = (version: number, enabled: boolean) =>
    ask(stale, 'schedules.setEnabled', { scheduleId, version, enabled })
  expect(await set(1, false)).toMatchObject({ status: 200 })
  expect(await set(2, true)).toMatchObject({ refusal: 'second_factor_needed' })
})
