// A host that keeps its plan with the server away, killed, slow to order, or itself asleep: each slot once, with its true time.
import { createTestClock } from '@restic-manager/agent/testing'
import { newId } from '@restic-manager/contract/ids'
import { type ScheduleDraft } from '@restic-manager/contract/schedule'
import { slotJobId } from '@restic-manager/contract/slots'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { checkInvariants, pathOf } from './invariants.ts'
import { openScene, type Scene, type SceneOptions } from './scene.ts'

/** Long before anything the server could take for now: what a host tells of it keeps its own time. */
const start = '2026-01-15T00:00:00.000Z'
const hour = 3_600_000
const slotAt = (hours: number) => new Date(Date.parse(start) + hours * hour).toISOString()

/** A host with an hourly backup, in a time that the test moves. */
async function openPlan(draft: Partial<ScheduleDraft> = {}, options: SceneOptions = {}) {
  const clock = createTestClock(Date.parse(start) - 60_000)
  const scene = await openScene({ ...options, clock })
  const { server, agent, hostId, repositoryId } = scene
  const schedule: ScheduleDraft = {
    name: 'Hourly',
    kind: 'backup',
    repositoryIds: [repositoryId],
    cron: '0 * * * *',
    timeZone: 'UTC',
    paths: ['/etc/hostname'],
    enabled: true,
    manual: false,
    catchUp: 'once',
    overlap: 'skip',
    jitterSeconds: 0,
    ...draft,
  }
  const { scheduleId } = await server.api.schedules.create.mutate({ requestId: newId(), hostId, schedule })
  await until(() => agent.status().plan?.schedules.length === 1)
  const jobIdOf = (slot: string, repository = repositoryId) => slotJobId(scheduleId, slot, repository)
  return {
    ...scene,
    scene,
    clock,
    scheduleId,
    jobIdOf,
    [Symbol.asyncDispose]: () => scene[Symbol.asyncDispose](),
  }
}

type SlotRow = {
  id: string
  status: string
  reason: string | null
  slot: string
  started: string | null
  decided_by: string
  slot_count: number
}

const slotRows = async ({ server }: Scene, scheduleId: string) => [
  ...(await server.db.execute<SlotRow>(`select id, status, reason, decided_by, slot_count,
    to_char(scheduled_for at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as slot,
    to_char(started_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as started
    from jobs where schedule_id = '${scheduleId}' order by scheduled_for, id`)),
]

const isAway = ({ agent }: Scene) =>
  until(() => agent.status().link?.state === 'connecting', undefined, { what: 'the agent to notice' })

test('three slots with the server stopped are three backups on time, told once with their true times (row 13)', async () => {
  await using plan = await openPlan({}, { serverProcess: true })
  const { scene, server, agent, restic, clock, scheduleId, jobIdOf } = plan
  await server.kill()
  await isAway(scene)
  const slots = [0, 1, 2].map(slotAt)
  for (const [done, slot] of slots.entries()) {
    await clock.advanceTo(slot)
    await until(() => agent.status().jobs?.length === 0 && restic.snapshots().length === done + 1)
  }
  await server.restart()
  await until(
    async () => (await slotRows(scene, scheduleId)).filter(row => row.status === 'succeeded').length === 3,
  )
  await checkInvariants(scene)
  expect(await slotRows(scene, scheduleId)).toMatchObject(
    slots.map(slot => ({ id: jobIdOf(slot), slot, started: slot, decided_by: 'agent', status: 'succeeded' })),
  )
  for (const slot of slots)
    expect(await pathOf(server.db, jobIdOf(slot))).toEqual(['queued', 'running', 'succeeded'])
  expect(restic.runs('backup')).toHaveLength(3)
})

test('a host that slept through eight slots runs the newest and tells of the others in one range (row 22)', async () => {
  await using plan = await openPlan()
  const { scene, restic, clock, scheduleId, jobIdOf } = plan
  await clock.sleep(7 * hour + 30 * 60_000)
  await clock.advance(60_000)
  await until(async () => (await slotRows(scene, scheduleId)).length === 2)
  await scene.reaches(jobIdOf(slotAt(7)), 'succeeded')
  await checkInvariants(scene)
  expect(await slotRows(scene, scheduleId)).toMatchObject([
    { slot: slotAt(6), status: 'missed', reason: 'host_was_off', slot_count: 7 },
    { slot: slotAt(7), status: 'succeeded', slot_count: 1 },
  ])
  expect(restic.runs('backup')).toHaveLength(1)
})

test('a paused host skips its slots, with the server there and away, and goes on when it is resumed', async () => {
  await using plan = await openPlan({}, { serverProcess: true })
  const { scene, server, restic, clock, hostId, scheduleId, jobIdOf } = plan
  // The server's own clock: an end in its future, later than every slot of the past that the host lives in.
  await server.api.hosts.pause.mutate({ hostId, reason: 'new disks', until: new Date(Date.now() + hour) })
  const { scheduleVersion } = await server.api.hosts.get.query({ hostId })
  const isApplied = (version: number) =>
    until(async () => (await server.api.hosts.get.query({ hostId })).appliedScheduleVersion === version)
  await isApplied(scheduleVersion)
  await clock.advanceTo(slotAt(0))
  await scene.reaches(jobIdOf(slotAt(0)), 'skipped')
  await server.kill()
  await isAway(scene)
  await clock.advanceTo(slotAt(1))
  await server.restart()
  await scene.reaches(jobIdOf(slotAt(1)), 'skipped')
  await server.api.hosts.resume.mutate({ hostId })
  await isApplied(scheduleVersion + 1)
  await clock.advanceTo(slotAt(2))
  await scene.reaches(jobIdOf(slotAt(2)), 'succeeded')
  await checkInvariants(scene)
  const reason = 'host_paused'
  expect(await slotRows(scene, scheduleId)).toMatchObject([
    { slot: slotAt(0), status: 'skipped', reason, slot_count: 1 },
    { slot: slotAt(1), status: 'skipped', reason, slot_count: 1 },
    { slot: slotAt(2), status: 'succeeded' },
  ])
  expect(restic.runs('backup')).toHaveLength(1)
})

test('a host that slept and catches nothing up tells of all slots in one range (row 22)', async () => {
  await using plan = await openPlan({ catchUp: 'none' })
  const { scene, restic, clock, scheduleId } = plan
  await clock.sleep(7 * hour + 30 * 60_000)
  await clock.advance(60_000)
  await until(async () => (await slotRows(scene, scheduleId)).length > 0)
  await checkInvariants(scene)
  expect(await slotRows(scene, scheduleId)).toMatchObject([
    { slot: slotAt(7), status: 'missed', reason: 'host_was_off', slot_count: 8 },
  ])
  expect(restic.runs('backup')).toEqual([])
})

test('a server that answered a fire and dies before the order is not waited for, and the backup is one job (row 28)', async () => {
  await using plan = await openPlan({}, { serverProcess: true })
  const { scene, server, restic, link, clock, scheduleId, jobIdOf } = plan
  // What the server says from here on is lost, also the order.
  await link.set('dropDown')
  await clock.advanceTo(slotAt(0))
  await scene.reaches(jobIdOf(slotAt(0)), 'queued')
  await server.kill()
  await link.set('pass')
  link.dropAll()
  await isAway(scene)
  await clock.advance(61_000)
  await until(() => restic.snapshots().length === 1)
  await server.restart()
  await scene.reaches(jobIdOf(slotAt(0)), 'succeeded')
  await checkInvariants(scene)
  expect(await slotRows(scene, scheduleId)).toMatchObject([{ status: 'succeeded', slot: slotAt(0) }])
  expect(restic.runs('backup')).toHaveLength(1)
})

test.each([
  ['skip', ['succeeded', 'skipped', 'skipped', 'succeeded']],
  ['queue', ['succeeded', 'succeeded', 'skipped', 'succeeded']],
] as const)(
  'a slot that comes while the one before runs, with overlap %s, is recorded as what became of it (row 33)',
  async (overlap, outcomes) => {
    await using plan = await openPlan(
      { overlap },
      { script: { runs: { backup: { steps: [{ wait: 'end' }, { summary: {} }] } } } },
    )
    const { scene, restic, clock, scheduleId, jobIdOf } = plan
    await clock.advanceTo(slotAt(0))
    await restic.reached('end')
    await scene.reaches(jobIdOf(slotAt(0)), 'running')
    await clock.advanceTo(slotAt(1))
    if (overlap === 'queue') await scene.reaches(jobIdOf(slotAt(1)), 'accepted')
    else await scene.reaches(jobIdOf(slotAt(1)), 'skipped')
    await clock.advanceTo(slotAt(2))
    await scene.reaches(jobIdOf(slotAt(2)), 'skipped')
    restic.open('end')
    await until(() => scene.agent.status().jobs?.length === 0)
    await clock.advanceTo(slotAt(3))
    await scene.reaches(jobIdOf(slotAt(3)), 'succeeded')
    await checkInvariants(scene)
    const rows = await slotRows(scene, scheduleId)
    expect(rows.map(row => row.status)).toEqual(outcomes)
    expect(new Set(rows.map(row => row.reason))).toEqual(new Set([null, 'overlap']))
  },
)

test('a clock that is set back an hour, and one that is set ahead, run no slot twice (row 27)', async () => {
  await using plan = await openPlan()
  const { scene, restic, clock, scheduleId, jobIdOf } = plan
  await clock.advanceTo(slotAt(0))
  await scene.reaches(jobIdOf(slotAt(0)), 'succeeded')
  await clock.set(slotAt(-1))
  await clock.advance(90 * 60_000)
  expect(restic.runs('backup')).toHaveLength(1)
  await clock.set(slotAt(1.5))
  await clock.advance(60_000)
  await scene.reaches(jobIdOf(slotAt(1)), 'succeeded')
  await checkInvariants(scene)
  expect(await slotRows(scene, scheduleId)).toMatchObject([
    { slot: slotAt(0), status: 'succeeded' },
    { slot: slotAt(1), status: 'succeeded' },
  ])
  expect(restic.runs('backup')).toHaveLength(2)
})
