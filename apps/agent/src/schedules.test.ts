// The host's own plan over hours, days and years: on time, alone, asleep, edited, killed, with clocks that jump.
import { newId } from '@restic-manager/contract/ids'
import type { Schedule } from '@restic-manager/contract/schedule'
import { jitterMs } from '@restic-manager/contract/slots'
import { expect, test } from 'vitest'
import { setFactAside } from './facts.ts'
import { acceptJob, endUnseen } from './job-intake.ts'
import { pruneSlots, reasonAgainst, releaseFire } from './slot-book.ts'
import { hourlyBackup, ordersOfSlot, repositoryId } from './testing-orders.ts'
import { planBench, type PlanBench } from './testing-plan.ts'

const minute = 60_000
const hour = 60 * minute
const noon = '2026-06-10T12:00:00.000Z'
const ran = (bench: PlanBench) => bench.fires().map(({ scheduledAt, decidedBy }) => [scheduledAt, decidedBy])

function accept(bench: PlanBench, schedule: Schedule, at: string) {
  const plan = { version: 1, configVersion: 1, schedules: [schedule] }
  const fire = { scheduleId: schedule.id, scheduledAt: at } as never
  for (const order of ordersOfSlot(plan, fire, bench.hostId)) acceptJob(bench.state, order)
}

test('three slots without a server are three runs on time, and one fact for each', async () => {
  using bench = planBench()
  const schedule = hourlyBackup()
  bench.plan(schedule)
  for (const at of ['12', '13', '14']) {
    await bench.clock.advanceTo(`2026-06-10T${at}:00:00Z`)
    expect(bench.job(schedule, `2026-06-10T${at}:00:00Z`)).toBe('accepted')
    bench.endJob(schedule, `2026-06-10T${at}:00:00Z`)
  }
  expect(bench.fires()).toMatchObject([
    {
      scheduledAt: '2026-06-10T12:00:00.000Z',
      decidedBy: 'agent',
      scheduleVersion: 1,
      jobs: [{ repositoryId }],
    },
    { scheduledAt: '2026-06-10T13:00:00.000Z', decidedBy: 'agent' },
    { scheduledAt: '2026-06-10T14:00:00.000Z', decidedBy: 'agent' },
  ])
  expect(bench.notRuns()).toEqual([])
})

test('with a link the server is asked, and its order is what runs', async () => {
  using bench = planBench()
  const schedule = hourlyBackup()
  bench.plan(schedule)
  bench.schedules.linked(true)
  await bench.clock.advanceTo(noon)
  expect(ran(bench)).toEqual([[noon, 'server']])
  bench.answer()
  await bench.clock.advance(59 * minute)
  expect(bench.job(schedule, noon)).toBeUndefined()
  accept(bench, schedule, noon)
  await bench.clock.advance(30_000)
  expect(ran(bench)).toEqual([[noon, 'server']])
})

test('a server that does not answer in ten seconds is not waited for, and is not asked any more', async () => {
  using bench = planBench()
  const schedule = hourlyBackup()
  bench.plan(schedule)
  bench.schedules.linked(true)
  await bench.clock.advanceTo(noon)
  await bench.clock.advance(9_999)
  expect(bench.job(schedule, noon)).toBeUndefined()
  await bench.clock.advance(1)
  expect(bench.job(schedule, noon)).toBe('accepted')
  expect(ran(bench)).toEqual([[noon, 'agent']])
})

test('an order that does not come is not waited for: a minute without a link, an hour with one', async () => {
  for (const isUp of [true, false]) {
    using bench = planBench()
    const schedule = hourlyBackup({ overlap: 'queue' })
    bench.plan(schedule)
    bench.schedules.linked(true)
    await bench.clock.advanceTo(noon)
    bench.answer()
    await bench.clock.advance(minute)
    bench.schedules.linked(isUp)
    await bench.clock.advance((isUp ? 59 * minute : minute) - 1)
    expect(bench.job(schedule, noon)).toBeUndefined()
    await bench.clock.advance(1)
    expect(bench.job(schedule, noon)).toBe('accepted')
    expect(ran(bench).slice(0, 2)).toEqual([
      [noon, 'server'],
      [noon, 'agent'],
    ])
  }
})

test.for([
  { catchUp: 'once' as const, fired: 1, range: ['2026-06-10T12:00:00.000Z', '2026-06-10T18:00:00.000Z', 7] },
  { catchUp: 'none' as const, fired: 0, range: ['2026-06-10T12:00:00.000Z', '2026-06-10T19:00:00.000Z', 8] },
])('a host asleep for eight hours catches up $catchUp, and tells of the others in one fact', async each => {
  using bench = planBench()
  const schedule = hourlyBackup({ catchUp: each.catchUp })
  bench.plan(schedule)
  await bench.clock.sleep(8 * hour)
  await bench.clock.advance(15_000)
  expect(ran(bench)).toEqual(each.fired === 1 ? [['2026-06-10T19:00:00.000Z', 'agent']] : [])
  const [from, to, count] = each.range
  expect(bench.notRuns()).toMatchObject([{ outcome: 'missed', from, to, count, reason: 'host_was_off' }])
})

test('a host that was off for weeks catches up at once, and counts what it missed in the background (row 22)', async () => {
  using bench = planBench()
  const schedule = hourlyBackup({ cron: '* * * * *' })
  bench.plan(schedule)
  await bench.restart(() => bench.clock.sleep(14 * 24 * hour + 10_000))
  const newest = '2026-06-24T11:30:00.000Z'
  expect(bench.fires()[0]?.scheduledAt).toBe('2026-06-24T11:26:00.000Z') // not late yet
  expect(bench.notRuns().filter(each => each.outcome === 'missed')).toEqual([])
  await bench.clock.advance(30_000)
  const [range, ...others] = bench.notRuns().filter(each => each.outcome === 'missed')
  expect(others).toEqual([])
  expect(range).toMatchObject({ from: '2026-06-10T11:31:00.000Z', outcome: 'missed' })
  expect(Date.parse(range?.to ?? '')).toBeLessThan(Date.parse(newest))
  expect(range?.count).toBe((Date.parse(range?.to ?? '') - Date.parse('2026-06-10T11:30:00Z')) / minute)
})

test('the next slot while the last still runs is skipped, or queued once (row 33)', async () => {
  for (const overlap of ['skip', 'queue'] as const) {
    using bench = planBench()
    const schedule = hourlyBackup({ overlap })
    bench.plan(schedule)
    await bench.clock.advanceTo('2026-06-10T14:00:00Z')
    const skipped = overlap === 'skip' ? [13, 14] : [14]
    expect(bench.notRuns().map(({ from, reason }) => [new Date(from).getUTCHours(), reason])).toEqual(
      skipped.map(at => [at, 'overlap']),
    )
    expect(bench.fires()).toHaveLength(3 - skipped.length)
  }
})

test('an armed slot keeps its time through an edit, and is told as skipped when its schedule goes or rests', async () => {
  const edits = [
    {
      change: (schedule: Schedule) => [{ ...schedule, jitterSeconds: 0, cron: '30 4 * * *' }],
      reason: undefined,
    },
    { change: () => [], reason: 'schedule_deleted' },
    { change: (schedule: Schedule) => [{ ...schedule, enabled: false }], reason: 'schedule_paused' },
  ]
  for (const { change, reason } of edits) {
    using bench = planBench()
    const schedule = hourlyBackup({ jitterSeconds: 1_799 })
    const waitMs = jitterMs(bench.hostId, schedule.id, 1_799)
    bench.plan(schedule)
    await bench.clock.advanceTo(noon)
    bench.plan(...change(schedule))
    await bench.clock.advance(waitMs - 1)
    expect(bench.fires()).toEqual([])
    expect(bench.notRuns()).toMatchObject(
      reason === undefined ? [] : [{ outcome: 'skipped', from: noon, reason }],
    )
    await bench.clock.advance(1)
    expect(bench.fires()).toHaveLength(reason === undefined ? 1 : 0)
  }
})

test('a paused host skips its slots without asking, goes on when the pause ends, and needs no server for either', async () => {
  using bench = planBench()
  const schedule = hourlyBackup()
  bench.plan(schedule)
  bench.pause = { from: '2026-06-10T11:30:00.000Z', until: '2026-06-10T13:30:00.000Z' }
  bench.plan(schedule)
  await bench.clock.advanceTo('2026-06-10T12:30:00Z')
  await bench.restart()
  await bench.clock.advanceTo('2026-06-10T14:00:00Z')
  const reason = 'host_paused'
  expect(bench.notRuns()).toMatchObject([
    { outcome: 'skipped', from: noon, reason },
    { outcome: 'skipped', from: '2026-06-10T13:00:00.000Z', reason },
  ])
  expect(ran(bench)).toEqual([['2026-06-10T14:00:00.000Z', 'agent']])
})

test('of a long sleep the slots in the pause are told as skipped, those before and after it as missed', async () => {
  using bench = planBench()
  const schedule = hourlyBackup({ catchUp: 'none' })
  bench.pause = { from: '2026-06-10T13:30:00.000Z', until: '2026-06-10T15:30:00.000Z' }
  bench.plan(schedule)
  await bench.clock.sleep(6 * hour)
  await bench.clock.advance(minute)
  expect(
    bench
      .notRuns()
      .map(({ outcome, from, to, count }) => [outcome, from.slice(11, 16), to.slice(11, 16), count]),
  ).toEqual([
    ['missed', '12:00', '13:00', 2],
    ['skipped', '14:00', '15:00', 2],
    ['missed', '16:00', '17:00', 2],
  ])
})

test('a host that is resumed runs its next slot, and a slot that came before the pause was heard of is skipped', async () => {
  using bench = planBench()
  const schedule = hourlyBackup({ jitterSeconds: 1_799 })
  bench.plan(schedule)
  await bench.clock.advanceTo(noon)
  bench.pause = { from: '2026-06-10T12:00:30.000Z' }
  bench.plan(schedule)
  await bench.clock.advance(hour / 2)
  expect(bench.notRuns()).toMatchObject([{ outcome: 'skipped', from: noon, reason: 'host_paused' }])
  bench.pause = undefined
  bench.plan(schedule)
  await bench.clock.advance(hour)
  expect(ran(bench)).toEqual([['2026-06-10T13:00:00.000Z', 'agent']])
})

test('counting begins anew only where the timetable itself was changed', async () => {
  using bench = planBench()
  const schedule = hourlyBackup()
  bench.plan(schedule)
  await bench.restart(() => bench.clock.sleep(2 * hour))
  bench.plan({ ...schedule, name: 'renamed' })
  await bench.clock.advance(10_000)
  expect(ran(bench)).toEqual([['2026-06-10T13:00:00.000Z', 'agent']])
  bench.endJob(schedule, '2026-06-10T13:00:00Z')
  bench.plan({ ...schedule, cron: '15 * * * *' })
  expect(bench.acks.at(-1)?.appliedAt).toBe(new Date(bench.clock.now()).toISOString())
  await bench.clock.advanceTo('2026-06-10T14:20:00Z')
  expect(ran(bench)).toEqual([
    ['2026-06-10T13:00:00.000Z', 'agent'],
    ['2026-06-10T14:15:00.000Z', 'agent'],
  ])
  expect(bench.notRuns()).toMatchObject([{ from: noon, to: noon, count: 1 }])
})

test('daily means once on the days the clocks change (row 27)', async () => {
  for (const [start, slots] of [
    ['2026-03-28T12:00:00Z', ['2026-03-29T01:00:00.000Z', '2026-03-30T00:30:00.000Z']],
    ['2026-10-24T12:00:00Z', ['2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z']],
  ] as const) {
    using bench = planBench(start)
    const schedule = hourlyBackup({ cron: '30 2 * * *', timeZone: 'Europe/Berlin' })
    bench.plan(schedule)
    for (const day of slots) {
      await bench.clock.advance(24 * hour)
      bench.endJob(schedule, day)
    }
    expect(ran(bench).map(([at]) => at)).toEqual(slots)
  }
})

test('a clock that is set back an hour runs nothing twice (row 27)', async () => {
  using bench = planBench()
  const schedule = hourlyBackup()
  bench.plan(schedule)
  await bench.clock.advance(40 * minute)
  bench.endJob(schedule, noon)
  await bench.clock.set('2026-06-10T11:10:00Z')
  await bench.clock.advance(100 * minute)
  expect(ran(bench)).toEqual([[noon, 'agent']])
  await bench.clock.advance(20 * minute)
  expect(ran(bench)).toHaveLength(2)
})

test('while the clocks differ, nothing later than the time of the server is told as missed (row 27)', async () => {
  using bench = planBench()
  const schedule = hourlyBackup({ catchUp: 'none' })
  bench.plan(schedule)
  bench.schedules.linked(true)
  bench.serverTime.heard('2026-06-10T11:30:00.000Z', bench.clock.steady())
  await bench.clock.set('2026-06-10T17:30:00Z')
  bench.serverTime.heard('2026-06-10T11:30:00.000Z', bench.clock.steady())
  await bench.clock.advance(20_000)
  expect(bench.notRuns()).toEqual([])
  await bench.clock.set('2026-06-10T11:31:00Z')
  bench.serverTime.heard('2026-06-10T11:31:00.000Z', bench.clock.steady())
  await bench.clock.advance(29 * minute)
  expect(ran(bench)).toEqual([[noon, 'server']])
  expect(bench.notRuns()).toEqual([])
})

test('a slot the server will never take is run here all the same, and only here', async () => {
  using bench = planBench()
  const backup = hourlyBackup()
  const prune = hourlyBackup({ kind: 'prune', paths: undefined } as never)
  bench.plan(backup, prune)
  bench.schedules.linked(true)
  await bench.clock.advanceTo(noon)
  bench.state.transaction(() => {
    for (const seq of [1, 2]) {
      setFactAside(bench.state, { lane: 'first', seq }, 'refused')
      releaseFire(bench.state, seq)
    }
  })
  bench.schedules.look()
  expect(bench.job(backup, noon)).toBe('accepted')
  expect(bench.job(prune, noon)).toBeUndefined()
  expect(bench.state.all(`select 1 from slots where state <> 'done'`)).toEqual([])
})

test('a prune waits for the server for ever, and a newer one takes its place', async () => {
  using bench = planBench()
  const prune = hourlyBackup({ kind: 'prune', paths: undefined } as never)
  bench.plan(prune)
  await bench.clock.advanceTo('2026-06-10T13:00:00Z')
  expect(ran(bench)).toEqual([
    [noon, 'server'],
    ['2026-06-10T13:00:00.000Z', 'server'],
  ])
  bench.answer() // the newest goes first
  bench.answer('skipped')
  await bench.clock.advanceTo('2026-06-10T14:00:00Z')
  bench.answer()
  const [order] = ordersOfSlot(
    { version: 1, configVersion: 1, schedules: [prune] },
    { scheduleId: prune.id, scheduledAt: '2026-06-10T13:00:00.000Z' } as never,
    bench.hostId,
  )
  expect(reasonAgainst(bench.state, order as never)).toBe('superseded')
})

test('a forget runs alone where this host may delete, and the rest is asked', async () => {
  using bench = planBench()
  const other = newId()
  bench.access.set(repositoryId, { mayDelete: true })
  bench.access.set(other, { mayDelete: false })
  const change = { kind: 'forget', paths: undefined, retention: { last: 3 }, forgets: [newId()] }
  const forget = hourlyBackup({ ...change, repositoryIds: [repositoryId, other] } as never)
  bench.plan(forget)
  await bench.clock.advanceTo(noon)
  expect(bench.fires()).toMatchObject([
    { decidedBy: 'server' },
    { decidedBy: 'agent', jobs: [{ repositoryId }] },
  ])
  bench.answer() // what is decided is told first
  bench.answer([{ ...jobOf(bench, forget, other), decision: 'delegated' }])
  expect(bench.state.all(`select 1 from slots where state <> 'done'`)).toEqual([])
})

test('a job cancelled before its slot came does not run when it comes', async () => {
  using bench = planBench()
  const schedule = hourlyBackup()
  bench.plan(schedule)
  endUnseen(bench.state, jobOf(bench, schedule, repositoryId).jobId, undefined)
  await bench.clock.advanceTo(noon)
  expect([bench.fires(), bench.notRuns()]).toEqual([[], []])
})

test('an accepted job that did not begin before the machine slept is late when it wakes', async () => {
  for (const catchUp of ['none', 'once'] as const) {
    using bench = planBench()
    const schedule = hourlyBackup({ catchUp, cron: '0 */6 * * *' })
    bench.plan(schedule)
    await bench.clock.advanceTo(noon)
    await bench.clock.sleep(2 * hour)
    await bench.clock.advance(15_000)
    expect(bench.job(schedule, noon)).toBe(catchUp === 'once' ? 'accepted' : 'ended')
  }
})

const steps = [
  { at: 'armed', until: 0, answered: false },
  { at: 'asked', until: 1, answered: false },
  { at: 'answered', until: 1, answered: true },
] as const
test.for(steps)(
  'an agent killed with a slot $at brings it to one end after that',
  async ({ until, answered }) => {
    for (const awayMs of [1_000, 2 * hour])
      for (const catchUp of ['none', 'once'] as const) {
        using bench = planBench()
        const schedule = hourlyBackup({ jitterSeconds: 1_000, catchUp, cron: '0 */6 * * *' })
        const waitMs = jitterMs(bench.hostId, schedule.id, 1_000)
        bench.plan(schedule)
        bench.schedules.linked(true)
        await bench.clock.advanceTo(Date.parse(noon) + until * waitMs)
        if (answered) bench.answer()
        await bench.restart(() => bench.clock.sleep(awayMs))
        await bench.clock.advance(2 * hour - 2_000)
        const runs = bench.job(schedule, noon)
        const tellsNotRun = bench.notRuns().length
        const isLate = awayMs > hour && catchUp === 'none'
        expect({ runs, tellsNotRun }).toEqual(
          isLate
            ? { runs: until === 0 ? undefined : 'ended', tellsNotRun: until === 0 ? 1 : 0 }
            : { runs: 'accepted', tellsNotRun: 0 },
        )
      }
  },
)

test('what is forgotten after a while is not run again, wherever the clock goes', async () => {
  using bench = planBench()
  const schedule = hourlyBackup({ cron: '0 12 * * *' })
  bench.plan(schedule)
  for (let day = 10; day < 30; day += 1) {
    await bench.clock.advanceTo(`2026-06-${day}T12:00:00Z`)
    bench.endJob(schedule, `2026-06-${day}T12:00:00Z`)
  }
  pruneSlots(bench.state, 5 * 24 * hour)
  bench.state.run('delete from jobs')
  expect(bench.state.all('select 1 from slots')).toHaveLength(6)
  await bench.clock.set('2026-06-12T00:00:00Z')
  bench.plan({ ...schedule, timeZone: 'Etc/UTC' })
  await bench.clock.advanceTo('2026-06-29T13:00:00Z')
  expect(bench.fires()).toHaveLength(20)
})

test('a plan waits for the configuration it needs', async () => {
  using bench = planBench()
  bench.configVersion = 0
  bench.plan(hourlyBackup())
  expect(bench.acks).toEqual([])
  bench.configVersion = 1
  bench.schedules.look()
  expect(bench.acks).toMatchObject([{ version: 1, rejected: [] }])
})

test('what cannot be run here is rejected by its id, and the rest is taken', async () => {
  using bench = planBench()
  const hook = hourlyBackup({ preHook: { script: 'true' } })
  const strange = { ...hourlyBackup(), kind: 'rearrange' } as never as Schedule
  const fine = hourlyBackup()
  bench.plan(hook, strange, fine)
  expect(bench.acks[0]?.rejected).toMatchObject([
    { scheduleId: hook.id, code: 'hooks_not_allowed' },
    { scheduleId: strange.id, code: 'unsupported' },
  ])
  await bench.clock.advanceTo(noon)
  expect(bench.fires().map(fire => fire.scheduleId)).toEqual([fine.id])
})

test('a disk that is full for a while delays a slot and loses none', async () => {
  using bench = planBench()
  const schedule = hourlyBackup()
  bench.plan(schedule)
  bench.state.run('pragma query_only = on')
  await bench.clock.advanceTo(noon)
  await bench.clock.advance(minute)
  bench.state.run('pragma query_only = off')
  await bench.clock.advance(minute)
  expect(bench.job(schedule, noon)).toBe('accepted')
})

function jobOf(bench: PlanBench, schedule: Schedule, on: string) {
  const fire = { scheduleId: schedule.id, scheduledAt: noon } as never
  const orders = ordersOfSlot({ version: 1, configVersion: 1, schedules: [schedule] }, fire, bench.hostId)
  const order = orders.find(each => each.repositoryId === on)
  return { jobId: order?.jobId ?? '', repositoryId: on }
}
