// Whatever happens to a host and its server, and in whatever order: every slot comes to one end on each repository.
import { newId } from '@restic-manager/contract/ids'
import { slotsBetween } from '@restic-manager/contract/cron'
import type { Schedule } from '@restic-manager/contract/schedule'
import { slotJobId, toSlot } from '@restic-manager/contract/slots'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nextFact } from './facts.ts'
import { endJob, openJobs } from './job-book.ts'
import { acceptJob } from './job-intake.ts'
import { reasonAgainst } from './slot-book.ts'
import { hourlyBackup, ordersOfSlot, repositoryId } from './testing-orders.ts'
import { planBench, type PlanBench } from './testing-plan.ts'

const minute = 60_000
const start = '2026-06-10T11:30:00.000Z'

type Step = { name: string; run(bench: PlanBench, schedule: Schedule): unknown }

/** Orders that a server gave and that are on their way. */
const underWay = new WeakMap<PlanBench, { scheduleId: string; scheduledAt: string }[]>()
const ordersOf = (bench: PlanBench) => underWay.get(bench) ?? []

const advance = (minutes: number): Step => ({
  name: `${minutes} minutes go by`,
  run: bench => bench.clock.advance(minutes * minute),
})
const sleep = (minutes: number): Step => ({
  name: `asleep for ${minutes} minutes`,
  run: bench => bench.clock.sleep(minutes * minute),
})
const answer = (decision: 'queued' | 'skipped'): Step => ({
  name: `the server answers ${decision}`,
  run(bench) {
    const fact = nextFact(bench.state)
    if (fact?.name !== 'schedule.fire') return
    if (fact.message.decidedBy === 'server' && decision === 'queued')
      underWay.set(bench, [...ordersOf(bench), fact.message])
    bench.answer(decision)
  },
})
const steps: Step[] = [
  ...[1, 7, 59, 60].map(advance),
  ...[3, 40, 200].map(sleep),
  answer('queued'),
  answer('queued'),
  answer('skipped'),
  { name: 'the link is up', run: bench => bench.schedules.linked(true) },
  { name: 'the link is down', run: bench => bench.schedules.linked(false) },
  { name: 'the clock is set back', run: bench => bench.clock.set(bench.clock.now() - 50 * minute) },
  { name: 'the agent is killed', run: bench => bench.restart() },
  { name: 'the agent is away', run: bench => bench.restart(() => bench.clock.sleep(130 * minute)) },
  {
    name: 'an order comes',
    run(bench, schedule) {
      const [fire, ...rest] = ordersOf(bench)
      underWay.set(bench, rest)
      const plan = { version: 1, configVersion: 1, schedules: [schedule] }
      for (const order of fire === undefined ? [] : ordersOfSlot(plan, fire as never, bench.hostId))
        if (reasonAgainst(bench.state, order) === undefined) acceptJob(bench.state, order)
    },
  },
  {
    name: 'a job ends',
    run(bench) {
      const [job] = openJobs(bench.state)
      if (job !== undefined) endJob(bench.state, job, { status: 'succeeded', warnings: [], lastLogSeq: -1 })
    },
  },
]

test('every slot ends once on each repository, whatever happens', async () => {
  const step = fc
    .constantFrom(...steps)
    .map(each => Object.assign(each, { [fc.toStringMethod]: () => each.name }))
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 5, maxLength: 40 }),
      fc.record({
        overlap: fc.constantFrom('skip' as const, 'queue' as const),
        catchUp: fc.constantFrom('none' as const, 'once' as const),
        jitterSeconds: fc.constantFrom(0, 1_500),
      }),
      async (story, change) => {
        using bench = planBench(start)
        const schedule = hourlyBackup({ ...change, repositoryIds: [repositoryId, newId()] })
        bench.plan(schedule)
        let latest = bench.clock.now()
        for (const each of story) {
          await each.run(bench, schedule)
          latest = Math.max(latest, bench.clock.now())
        }
        // Left to itself the host brings everything to an end, wherever its clock was set to.
        bench.schedules.linked(false)
        await bench.clock.advanceTo(latest)
        await bench.clock.advance(90 * minute)
        checkEnds(bench, schedule)
      },
    ),
    { numRuns: 40 },
  )
})

function checkEnds(bench: PlanBench, schedule: Schedule): void {
  const { state, clock } = bench
  expect(state.all(`select * from slots where state in ('asked', 'answered')`)).toEqual([])
  const timetable = { cron: schedule.cron ?? '', timeZone: schedule.timeZone }
  const notRuns = bench.notRuns()
  const alone = bench.fires().flatMap(fire => fire.jobs ?? [])
  expect(new Set(alone.map(job => job.jobId)).size).toBe(alone.length)
  for (const slot of slotsBetween(timetable, new Date(start), new Date(clock.now() - 30 * minute)))
    for (const on of schedule.repositoryIds) {
      const at = toSlot(slot)
      const job = state.one('select state from jobs where id = ?', slotJobId(schedule.id, at, on))
      const told = notRuns.filter(
        ({ from, to, repositoryIds }) => from <= at && at <= to && repositoryIds.includes(on),
      )
      const row = state.one('select answer from slots where slot = ?', slot.getTime())
      const answers = JSON.parse(String(row?.answer ?? '[]')) as { repositoryId: string; decision: string }[]
      const isTurnedAway = answers.some(each => each.repositoryId === on && each.decision === 'skipped')
      const ends = [job !== undefined, told.length > 0, job === undefined && isTurnedAway]
      expect([at, told.length <= 1, ends.filter(Boolean).length]).toEqual([at, true, 1])
    }
}
