// A whole agent with a plan: its server comes and goes, the clock is the test's, and restic keeps a ledger.
import { newId } from '@restic-manager/contract/ids'
import type { JobFinished, JobStarted } from '@restic-manager/contract/job'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { describeStatus } from './status.ts'
import { createTestClock } from './testing-clock.ts'
import { openDesk, type Desk } from './testing-desk.ts'
import { startFarEnd } from './testing-far-end.ts'
import { configOrder, hourlyBackup, ordersOfSlot, repositoryId } from './testing-orders.ts'

const minute = 60_000
const hour = 60 * minute
const start = '2026-06-10T11:30:00.000Z'
const noon = '2026-06-10T12:00:00.000Z'
const facts = (desk: Desk, name: string) =>
  desk.end.memory.facts.filter(fact => fact.name === name).map(fact => fact.message as never)
const planOf = (...schedules: object[]) => ({ version: 1, configVersion: 1, schedules: schedules as never })
const quiet = (desk: Desk) =>
  until(() => desk.agent.facts().every(fact => fact.acked) && desk.agent.status().jobs?.length === 0)

/** An agent with a plan applied and its clock at half past eleven. */
async function planDesk(schedules: object[], options: Parameters<typeof openDesk>[0] = {}) {
  const clock = createTestClock(start)
  const desk = await openDesk({ clock, ...options })
  desk.end.serverTime = clock.now
  desk.end.plan(planOf(...schedules))
  await until(() => desk.end.memory.planAcks.length === 1)
  return { desk, clock }
}

test.concurrent('a slot is asked about, ordered, and run once, under the id both ends derive', async () => {
  const schedule = hourlyBackup()
  const { desk, clock } = await planDesk([schedule])
  await using _ = desk
  await clock.advanceTo(noon)
  const [order] = ordersOfSlot(planOf(schedule), { scheduleId: schedule.id, scheduledAt: noon } as never, '')
  const ending = await desk.ending(order?.jobId ?? '')
  expect(ending).toMatchObject({ status: 'succeeded', scheduleId: schedule.id, scheduledAt: noon })
  expect(desk.end.memory.planAcks).toEqual([{ version: 1, appliedAt: start }])
  expect(facts(desk, 'schedule.fire')).toMatchObject([{ decidedBy: 'server', scheduleVersion: 1 }])
  expect(facts(desk, 'command.result')).toMatchObject([{ accepted: true }])
  await quiet(desk)
  desk.end.dropSockets()
  await until(() => desk.end.memory.planAcks.length === 2)
  expect(desk.end.memory.hellos.at(-1)?.appliedScheduleVersion).toBe(1)
  expect(desk.end.memory.planAcks[1]).toEqual({ version: 1, appliedAt: start })
  expect(desk.agent.status().plan).toMatchObject({
    version: 1,
    schedules: [
      { name: 'hourly', nextRunAt: '2026-06-10T13:00:00.000Z', last: { slot: noon, became: 'succeeded' } },
    ],
  })
})

test.concurrent('three slots with the server away are three backups at their times, told once when it is back', async () => {
  const schedule = hourlyBackup()
  const { desk, clock } = await planDesk([schedule])
  await using _ = desk
  await desk.end.stop()
  await until(() => desk.agent.status().link?.state === 'connecting')
  for (let n = 0; n < 3; n += 1) {
    await clock.advanceTo(Date.parse(noon) + n * hour)
    await until(() => desk.agent.facts().filter(fact => fact.name === 'job.finished').length === n + 1)
    await until(() => desk.agent.status().jobs?.length === 0)
  }
  await using back = await startFarEnd({ port: desk.end.port, memory: desk.end.memory })
  back.serverTime = clock.now
  await quiet(desk)
  const slots = [noon, '2026-06-10T13:00:00.000Z', '2026-06-10T14:00:00.000Z']
  const started = facts(desk, 'job.started') as JobStarted[]
  expect(started.map(fact => fact.scheduledAt)).toEqual(slots)
  for (const { startedAt, scheduledAt = '' } of started)
    expect(Date.parse(startedAt) - Date.parse(scheduledAt)).toBeLessThan(minute)
  expect((facts(desk, 'job.finished') as JobFinished[]).map(fact => [fact.scheduledAt, fact.status])).toEqual(
    slots.map(slot => [slot, 'succeeded']),
  )
  // The newest goes first: whoever was away longest learns the latest news before the old.
  expect((facts(desk, 'schedule.fire') as { scheduledAt: string }[]).map(fact => fact.scheduledAt)).toEqual(
    slots.toReversed(),
  )
  expect(facts(desk, 'command.result')).toEqual([])
  expect(desk.restic.runs('backup')).toHaveLength(3)
})

test.concurrent('an order for what the host began alone gets its answer, and nothing runs twice', async () => {
  const schedule = hourlyBackup()
  const { desk, clock } = await planDesk([schedule])
  await using _ = desk
  desk.end.before = name => {
    if (name === 'schedule.fire') throw new Error('busy')
  }
  await clock.advanceTo(noon)
  await clock.advance(10_000)
  const [order] = ordersOfSlot(planOf(schedule), { scheduleId: schedule.id, scheduledAt: noon } as never, '')
  await until(() => desk.agent.facts().some(fact => fact.name === 'job.finished'))
  desk.end.order(order as never)
  await until(() => desk.agent.facts().some(fact => fact.name === 'command.result'))
  desk.end.before = () => {}
  await quiet(desk)
  expect(facts(desk, 'command.result')).toMatchObject([{ accepted: true, scheduledAt: noon }])
  expect(facts(desk, 'schedule.fire')).toMatchObject([{ decidedBy: 'agent', jobs: [{ repositoryId }] }])
  expect(desk.restic.runs('backup')).toHaveLength(1)
})

test.concurrent('the jobs of one slot run one after another in the order of their repositories, and a failing one stops no other', async () => {
  const second = newId()
  const schedule = hourlyBackup({ repositoryIds: [second, repositoryId] })
  const access = { password: 'of tests', mayDelete: false }
  const config = configOrder({
    version: 2,
    maxConcurrentRuns: 4,
    repositories: [
      { repositoryId, url: '/srv/first', ...access },
      { repositoryId: second, url: '/srv/second', ...access },
    ],
  })
  const runs = { backup: [{ steps: [{ wait: 'go' }, { exit: 1 }] }, { steps: [{ summary: {} }] }] }
  const { desk, clock } = await planDesk([schedule], { script: { runs } })
  await using _ = desk
  desk.end.order(config)
  await until(() => desk.end.memory.acks.some(ack => ack.version === 2))
  await clock.advanceTo(noon)
  await desk.restic.reached('go')
  expect(desk.restic.runs('backup')).toHaveLength(1)
  desk.restic.open('go')
  await until(() => facts(desk, 'job.finished').length === 2)
  expect(facts(desk, 'job.finished')).toMatchObject([
    { repositoryId: second, status: 'failed' },
    { repositoryId, status: 'succeeded' },
  ])
})

test.concurrent('whatever is killed or cut at a slot, each slot is run or told of once', async () => {
  const schedule = hourlyBackup({ cron: '*/10 * * * *', overlap: 'queue' })
  const { desk, clock } = await planDesk([schedule], { process: true, timing: { answer: 10_000 } })
  await using _ = desk
  const told = () => [
    ...(facts(desk, 'job.finished') as JobFinished[]).map(fact => fact.scheduledAt),
    ...(facts(desk, 'schedule.notRun') as { from: string }[]).map(fact => fact.from),
  ]
  for (const [n, calamity] of ['none', 'kill', 'cut', 'kill', 'away', 'none'].entries()) {
    await clock.advanceTo(Date.parse(noon) + n * 10 * minute)
    if (calamity === 'kill') {
      await desk.agent.kill()
      await clock.advance(1_000)
      await desk.agent.restart()
    }
    if (calamity === 'cut') desk.end.dropSockets()
    if (calamity === 'away') {
      desk.end.refuseUpgrades = 503
      desk.end.dropSockets()
      await clock.advance(minute)
    }
    desk.end.refuseUpgrades = undefined
    await until(() => desk.agent.status().link?.state === 'connected')
    await clock.advance(20_000)
    // Ten past the half hour is the first.
    await until(() => told().length === n + 3)
    await quiet(desk)
  }
  expect(told().toSorted()).toEqual(
    Array.from({ length: 8 }, (_, n) => new Date(Date.parse(start) + (n + 1) * 10 * minute).toISOString()),
  )
  const tags = desk.restic.runs('backup').map(run => run.argv.find(word => word.includes('rm-job=')))
  expect(new Set(tags).size).toBe(tags.length)
})

test.concurrent('the status says what runs next, what was rejected, what this host allows, and that a newer agent is there', async () => {
  const hooked = hourlyBackup({ name: 'hooked', preHook: { script: 'true' } })
  const manual = hourlyBackup({ name: 'by hand', manual: true, cron: undefined } as never)
  const { desk } = await planDesk([hourlyBackup(), hooked, manual])
  await using _ = desk
  const packageUrl = 'https://example.com/agent'
  desk.end.order({ order: 'agent.updateAvailable', latestVersion: '9.9.9', packageUrl })
  await until(() => desk.agent.status().newerAgent !== undefined)
  desk.end.plan({ ...planOf(hooked), version: 2, configVersion: 99 })
  await until(() => desk.agent.status().plan?.waiting === 2)
  const said = describeStatus(desk.agent.status())
  expect(said).toContain('version 1, applied 2026-06-10T11:30:00.000Z; version 2 waits for its configuration')
  expect(said).toMatch(/ {2}hourly: +backup, next 2026-06-10T12:00:00.000Z\n/)
  expect(said).toMatch(/ {2}by hand: +backup, does not run by itself \(manual\)\n/)
  expect(said).toMatch(
    /Rejected: +[0-9a-f-]+ \(hooks_not_allowed\): The policy file of this host allows no hooks/,
  )
  expect(said).toMatch(
    /Policy file: +.*policy\.json\n {2}hooks: +No programs run .*\n {2}repositories: +Anywhere, /,
  )
  expect(said).toMatch(
    /Newer agent: +9\.9\.9, at https:\/\/example\.com\/agent\. It is not installed by itself\.\n/,
  )
})
