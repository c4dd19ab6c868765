// A set put in the place of another: no slot falls between the two, and none costs more than it must.
import { expect, test } from 'vitest'
import { hourlyBackup } from './testing-orders.ts'
import { planBench } from './testing-plan.ts'

test('a slot that comes while a set is applied is counted by one of the two timetables', async () => {
  using bench = planBench()
  const schedule = hourlyBackup()
  bench.plan(schedule)
  await bench.clock.advanceTo('2026-06-10T11:59:59.999Z')
  const { policy } = bench
  Object.defineProperty(bench, 'policy', {
    get() {
      void bench.clock.set('2026-06-10T12:00:00.250Z') // looked at once the slots so far are counted
      return policy
    },
  })
  bench.plan({ ...schedule, timeZone: 'Etc/UTC' })
  await bench.clock.advance(10_000)
  expect(bench.acks.at(-1)?.appliedAt).toBe('2026-06-10T11:59:59.999Z')
  expect(bench.job(schedule, '2026-06-10T12:00:00Z')).toBe('accepted')
})
