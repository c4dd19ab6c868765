// What a host told of its policy holds before anything is given to it, planned on it or run there; and a host that told nothing is not in the way.
import { eq } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PolicySummary } from '@restic-manager/contract/agent'
import { newId } from '@restic-manager/contract/ids'
import { Refusal } from '@restic-manager/contract/refusal'
import { timing } from '@restic-manager/contract/timing'
import { hosts, repositories } from '../db/schema.ts'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { asAnna, connectMachine, enrolMachine, makeHost, repositoryOf } from '../testing-fleet.ts'
import { hourly } from '../testing-schedules.ts'
import { listPolicies } from './host-policies.ts'
import { runJob } from './jobs.ts'
import { createRepository, updateRepository } from './repositories.ts'
import { runScheduleNow } from './schedule-runs.ts'
import { createSchedule, updateSchedule } from './schedules.ts'
import { wholeFleet } from './scope.ts'

let database: TestDatabase
beforeAll(async () => void (database = await testDatabase()))
afterAll(() => database.close())

const vault = 'rest:https://vault.example.com/r/'
const strict: PolicySummary = { hooks: 'off', repositories: ['rest:**'], environment: [], uploadKibps: 500 }

/** A host that told this policy. Without one it has never connected. */
async function hostWith(policy?: PolicySummary, name = 'strict') {
  const machine = await enrolMachine(database.db, name)
  if (policy !== undefined) await connectMachine(database.db, machine, { policy })
  return machine.hostId
}
const tell = (hostId: string, policy: unknown) =>
  database.db
    .update(hosts)
    .set({ policy: policy as PolicySummary })
    .where(eq(hosts.id, hostId))
type Create = Parameters<typeof createRepository>[2]
const create = (over: Partial<Create> & { hostIds: string[] }) =>
  createRepository(database.db, database.seal, { ...repositoryOf({ hostIds: [] }), url: vault, ...over })
const edit = (repositoryId: string, version: number, over: Partial<Create> & { hostIds: string[] }) => {
  const { requestId: _, ...rest } = { ...repositoryOf({ hostIds: [] }), url: vault, ...over }
  return updateRepository(database.db, database.seal, { repositoryId, version, ...rest })
}
const plan = (hostId: string, schedule: Parameters<typeof createSchedule>[1]['schedule']) =>
  createSchedule(database.db, { requestId: newId(), hostId, schedule })
const run = (hostId: string, repositoryId: string, spec: object = { paths: ['/srv'] }) =>
  runJob(
    database.db,
    { requestId: newId(), hostId, repositoryId, kind: 'backup', spec: spec as { paths: string[] } },
    asAnna,
  )

async function refusalOf(attempt: Promise<unknown>) {
  const error: unknown = await attempt.catch((reason: unknown) => reason)
  if (!(error instanceof Refusal)) throw error
  const { code, message, complaints = [] } = error
  return { code, message, complaints: complaints.map(each => [each.code, each.field]) }
}

test('a repository is given to no host whose policy forbids its place or its environment, and is not made then', async () => {
  const hostId = await hostWith(strict)
  expect(await refusalOf(create({ hostIds: [hostId], url: '/etc/cron.d', name: 'trap' }))).toEqual({
    code: 'refused_by_policy',
    message:
      'strict: The policy of this host does not allow a repository at /etc/cron.d: see "repositories" in its policy file. Allowed: rest:**.',
    complaints: [['repository_not_allowed', 'hostIds']],
  })
  const named = await database.db.select().from(repositories).where(eq(repositories.name, 'trap'))
  expect(named).toEqual([])
  const environment = { RESTIC_CACERT: '/ca.pem' }
  expect(await refusalOf(create({ hostIds: [hostId], environment }))).toMatchObject({
    complaints: [['environment_not_allowed', 'hostIds']],
  })
  await create({ hostIds: [hostId] })
})

test('an edit asks the hosts that it gives something to, and leaves alone what is as it was', async () => {
  const [hostId, other] = [await hostWith(strict), await hostWith()]
  const { repositoryId } = await create({ hostIds: [other], url: '/srv/r' })
  expect(await refusalOf(edit(repositoryId, 1, { hostIds: [other, hostId], url: '/srv/r' }))).toMatchObject({
    code: 'refused_by_policy',
    message: expect.stringMatching(/^strict: /),
  })
  await edit(repositoryId, 1, { hostIds: [other, hostId] })
  expect(await refusalOf(edit(repositoryId, 2, { hostIds: [other, hostId], url: '/srv/r' }))).toMatchObject({
    complaints: [['repository_not_allowed', 'hostIds']],
  })
  // Its owner has become stricter since: the name of the repository can still be changed.
  await tell(hostId, { ...strict, repositories: [] })
  await edit(repositoryId, 2, { hostIds: [other, hostId], name: 'another name' })
})

test('a remote that is a folder of the host is judged as that folder, also when its secret came earlier', async () => {
  const hostId = await hostWith({ ...strict, repositories: ['rclone:**', '/mnt/**'] })
  const credential = 'type = local'
  const { repositoryId } = await create({ hostIds: [hostId], url: 'rclone:disk:/mnt/r', credential })
  expect(
    await refusalOf(edit(repositoryId, 1, { hostIds: [hostId], url: 'rclone:disk:/etc' })),
  ).toMatchObject({
    message: expect.stringContaining('at /etc:'),
  })
})

test('a maintenance host is one whose policy lets it reach the repository', async () => {
  const [hostId, other] = [await hostWith({ ...strict, repositories: [] }, 'keeper'), await hostWith()]
  const { repositoryId } = await create({ hostIds: [other] })
  const chosen = edit(repositoryId, 1, { hostIds: [other], maintenanceHostId: hostId })
  expect(await refusalOf(chosen)).toEqual({
    code: 'refused_by_policy',
    message: expect.stringMatching(/^keeper: .*Allowed: nothing\.$/),
    complaints: [['repository_not_allowed', 'maintenanceHostId']],
  })
})

test('a schedule is made and edited within the policy of the host it runs on', async () => {
  const [hostId, keeperId] = [await hostWith(strict), await hostWith(strict, 'keeper')]
  const { repositoryId } = await create({ hostIds: [hostId], maintenanceHostId: keeperId })
  const fast = hourly([repositoryId], { options: { uploadKibps: 501 } })
  expect(await refusalOf(plan(hostId, fast))).toMatchObject({
    code: 'schedule_invalid',
    message: expect.stringContaining('at most 500 KiB/s'),
    complaints: [['bandwidth_not_allowed', 'options']],
  })
  const { scheduleId } = await plan(hostId, hourly([repositoryId], { options: { uploadKibps: 500 } }))
  expect(
    await refusalOf(updateSchedule(database.db, { scheduleId, version: 1, schedule: fast })),
  ).toMatchObject({ complaints: [['bandwidth_not_allowed', 'options']] })

  await tell(hostId, { ...strict, repositories: ['s3:**'] })
  expect(await refusalOf(plan(hostId, hourly([repositoryId])))).toMatchObject({
    complaints: [['repository_not_allowed', 'repositoryIds']],
  })
  // What runs on the maintenance host is for that one to allow.
  const { paths: _, ...prune } = hourly([repositoryId], { kind: 'prune' })
  await plan(hostId, prune)
  await tell(keeperId, { ...strict, repositories: ['s3:**'] })
  expect(await refusalOf(plan(hostId, prune))).toMatchObject({
    message: expect.stringContaining('maintained by keeper: The policy of this host does not allow'),
  })
})

test('nothing is run by hand that the policy forbids by now; what was saved too fast runs, slower', async () => {
  const hostId = await hostWith({ ...strict, uploadKibps: 9_000 })
  const { repositoryId } = await create({ hostIds: [hostId] })
  const { scheduleId } = await plan(hostId, hourly([repositoryId], { options: { uploadKibps: 9_000 } }))
  await tell(hostId, strict)
  const asked = { ...asAnna, timing }
  await runScheduleNow(database.db, { requestId: newId(), scheduleId }, asked)
  const spec = { paths: ['/srv'], options: { uploadKibps: 501 }, preHook: { script: 'id' } }
  expect(await refusalOf(run(hostId, repositoryId, spec))).toMatchObject({
    code: 'refused_by_policy',
    complaints: [
      ['hooks_not_allowed', 'hostId'],
      ['bandwidth_not_allowed', 'hostId'],
    ],
  })
  await tell(hostId, { ...strict, problem: 'It is no JSON.' })
  for (const attempt of [
    run(hostId, repositoryId),
    runScheduleNow(database.db, { requestId: newId(), scheduleId }, asked),
  ])
    expect(await refusalOf(attempt)).toMatchObject({
      code: 'refused_by_policy',
      message: expect.stringMatching(/is not followed, so no job runs\. It is no JSON\./),
    })
})

test('a host that never told a policy, or told one nobody here can read, is asked by nobody but itself', async () => {
  const silent = await hostWith()
  const host = await makeHost(database.db, database.seal, 'older') // tells of hooks only
  const odd = await hostWith(strict)
  await tell(odd, { hooks: 'of a later kind' })
  for (const hostId of [silent, host.hostId, odd]) {
    const environment = { RESTIC_CACERT: '/ca.pem' }
    const { repositoryId } = await create({
      hostIds: [hostId],
      maintenanceHostId: hostId,
      acceptsRisk: true,
      environment,
    })
    await plan(hostId, hourly([repositoryId], { options: { uploadKibps: 90_000 } }))
    await run(hostId, repositoryId)
  }
})

test('the policies of the hosts that are seen are told by their ids, and null where there is none', async () => {
  const [told, silent] = [await hostWith(strict), await hostWith()]
  const request = { hostIds: [told, silent, newId()] }
  const rows = await listPolicies(database.db, wholeFleet, request)
  expect(new Map(rows.map(({ hostId, policy }) => [hostId, policy]))).toEqual(
    new Map([
      [told, strict],
      [silent, null],
    ]),
  )
  expect(await listPolicies(database.db, ['elsewhere'], request)).toEqual([])
})
