// What the server answers is believed only in a shape that is known.
import { createLog } from '@restic-manager/runtime/log'
import { expect, test } from 'vitest'
import { readJob } from './job-book.ts'
import { acceptJob } from './job-intake.ts'
import { sendFacts } from './outbox.ts'
import { backupOrder, hourlyBackup, repositoryId } from './testing-orders.ts'
import { planBench, type PlanBench } from './testing-plan.ts'

/** Sends the fact that is next, once, to a server that answers it like that. */
async function sendOne({ state }: PlanBench, answer: object): Promise<void> {
  const link = new AbortController()
  await sendFacts({
    state,
    async send({ message }) {
      link.abort()
      return { seq: message.seq, ...answer }
    },
    onAnswer() {},
    onSetAside() {},
    onTold() {},
    log: createLog({ level: 'silent' }),
    signal: link.signal,
  })
}

test.for([undefined, [null], [{ repositoryId, decision: 'queued' }]])(
  'an answer to a fire that says %j is none: the slot runs alone, and no other slot is held up',
  async jobs => {
    using bench = planBench()
    const schedule = hourlyBackup()
    bench.plan(schedule)
    bench.schedules.linked(true)
    await bench.clock.advanceTo('2026-06-10T12:00:00Z')
    await sendOne(bench, { jobs })
    bench.schedules.look()
    await bench.clock.advance(10_000)
    expect(bench.job(schedule, '2026-06-10T12:00:00Z')).toBe('accepted')
  },
)

test('an answer to an acceptance that says nothing cancels nothing', async () => {
  using bench = planBench()
  const order = backupOrder()
  acceptJob(bench.state, order)
  await sendOne(bench, {})
  expect(readJob(bench.state, order.jobId)).toMatchObject({ state: 'accepted', proceed: undefined })
  await sendOne(bench, { proceed: false })
  expect(readJob(bench.state, order.jobId)?.proceed).toBe(false)
})
