// A host whose records are damaged while its server is away: its plan goes on, and no slot of it runs twice or too late.
import { closeSync, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { jitterMs, slotJobId } from '@restic-manager/contract/slots'
import { expect, test } from 'vitest'
import { markStarting, readJob } from './job-book.ts'
import { appliedSet, readPlans } from './plan-book.ts'
import { openStore } from './store.ts'
import { hourlyBackup, repositoryId } from './testing-orders.ts'
import { planBench, type PlanBench } from './testing-plan.ts'

const minute = 60_000
const hour = 60 * minute
const at = (time: string) => `2026-06-10T${time}:00.000Z`
const ran = (bench: PlanBench) => bench.fires().map(({ scheduledAt, decidedBy }) => [scheduledAt, decidedBy])
const copyOf = ({ state }: PlanBench) => join(state.folder, 'plan.json')

/** The database is no database any more, also under an agent that has it open. */
function damage({ state }: PlanBench): void {
  const path = join(state.folder, 'state.db')
  const store = openStore(path, 'FULL')
  store.run('pragma wal_checkpoint(truncate)')
  store.close()
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.alloc(statSync(path).size, 0xa5), 0)
  closeSync(file)
}

test('after damage the plan goes on without the server: what had begun does not begin again, what is past is not caught up (row 24)', async () => {
  using bench = planBench()
  const schedule = hourlyBackup()
  const noon = slotJobId(schedule.id, at('12:00'), repositoryId)
  bench.plan(schedule)
  await bench.clock.advanceTo(at('12:00'))
  markStarting(bench.state, noon)
  const { epoch } = bench.state

  await bench.restart(() => damage(bench))
  expect(bench.state.epoch).not.toBe(epoch)
  expect(appliedSet(bench.state)).toEqual(bench.acks[0])
  await bench.clock.advance(hour / 2)
  expect(readJob(bench.state, noon)?.state).toBe('refused')
  expect([ran(bench), bench.notRuns()]).toEqual([[], []])

  await bench.restart(async () => {
    damage(bench)
    await bench.clock.sleep(2 * hour)
  })
  await bench.clock.advanceTo(at('15:00'))
  expect([ran(bench), bench.notRuns()]).toEqual([[[at('15:00'), 'agent']], []])
  expect(bench.fires()).toMatchObject([{ scheduleVersion: 1 }])

  bench.endJob(schedule, at('15:00'))

  // The server sends what it has after every hello: what is known already counts on, what is new is taken.
  bench.plan(schedule)
  bench.plan(schedule, hourlyBackup({ cron: '30 * * * *' }))
  expect(bench.acks.map(({ version }) => version)).toEqual([1, 2, 3])
  await bench.clock.advanceTo(at('16:00'))
  expect(ran(bench)).toHaveLength(3)
})

test('a slot that came just before the damage and has not begun runs once, also with a spread and on several repositories (row 24)', async () => {
  using bench = planBench()
  const other = '00000000-0000-4000-8000-000000000001'
  const schedule = hourlyBackup({ repositoryIds: [repositoryId, other], jitterSeconds: 1_200 })
  bench.plan(schedule)
  const spread = jitterMs(bench.hostId, schedule.id, schedule.jitterSeconds)
  await bench.clock.advanceTo(Date.parse(at('12:00')) + spread)
  expect(ran(bench)).toEqual([[at('12:00'), 'agent']])
  markStarting(bench.state, slotJobId(schedule.id, at('12:00'), repositoryId))
  await bench.restart(() => damage(bench))
  await bench.clock.advance(minute)
  const job = (id: string) => readJob(bench.state, slotJobId(schedule.id, at('12:00'), id))?.state
  expect([job(repositoryId), job(other)]).toEqual(['refused', 'accepted'])
  expect(bench.fires()).toMatchObject([{ scheduledAt: at('12:00'), jobs: [{ repositoryId: other }] }])
  await bench.clock.advanceTo(at('12:59'))
  expect(ran(bench)).toHaveLength(1)
})

test('damage that is found when a slot comes does not cost that slot (row 24)', async () => {
  using bench = planBench()
  const schedule = hourlyBackup()
  bench.plan(schedule)
  await bench.clock.advanceTo(at('11:59'))
  const { epoch } = bench.state
  damage(bench)
  await bench.clock.advanceTo(at('12:01'))
  expect(bench.state.epoch).not.toBe(epoch)
  expect(ran(bench)).toEqual([[at('12:00'), 'agent']])
  expect(bench.job(schedule, at('12:00'))).toBe('accepted')
})

test('a schedule is not run for a time before it was planned, whatever the clock did since (row 24)', async () => {
  using bench = planBench(at('12:02'))
  bench.plan(hourlyBackup())
  await bench.restart(() => damage(bench))
  await bench.clock.advance(30 * minute)
  expect(ran(bench)).toEqual([])
  await bench.restart(async () => {
    damage(bench)
    await bench.clock.set('2026-06-09T12:30:00Z')
  })
  await bench.clock.advance(hour)
  expect(ran(bench)).toEqual([['2026-06-09T13:00:00.000Z', 'agent']])
})

test('the copy of the plan is for its owner only, follows every change, and is never guessed at (row 24)', async () => {
  using bench = planBench()
  const [first, second] = [hourlyBackup(), hourlyBackup({ enabled: false })]
  bench.plan(first, second)
  bench.plan(second)
  expect(statSync(copyOf(bench)).mode & 0o777).toBe(0o600)
  expect(readFileSync(copyOf(bench), 'utf8')).not.toContain(first.id)
  await bench.restart(() => damage(bench))
  expect(readPlans(bench.state)).toMatchObject([{ schedule: second, stopped: 'schedule_paused' }])
  expect(appliedSet(bench.state).version).toBe(2)

  const text = readFileSync(copyOf(bench), 'utf8')
  for (const broken of [text.slice(0, -20), text.replace('hourly', 'hourlz'), '', '{}']) {
    await bench.restart(() => {
      damage(bench)
      writeFileSync(copyOf(bench), broken)
    })
    expect([readPlans(bench.state), appliedSet(bench.state).version]).toEqual([[], 0])
  }
  bench.plan(first)
  await bench.restart(() => damage(bench))
  expect(readPlans(bench.state)).toMatchObject([{ schedule: first }])
})
