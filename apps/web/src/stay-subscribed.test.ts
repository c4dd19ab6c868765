// Promises of a subscription that stays open.
import { expect, test } from 'vitest'
import { jitter, staySubscribed, type Telling } from './stay-subscribed.ts'

function openings() {
  const told: Telling[] = []
  let closed = 0
  const open = (telling: Telling) => {
    told.push(telling)
    waiting?.()
    return { unsubscribe: () => (closed += 1) }
  }
  let waiting: (() => void) | undefined
  const reach = (count: number) =>
    new Promise<void>(resolve => {
      waiting = () => told.length >= count && resolve()
      waiting()
    })
  return { told, open, reach, closed: () => closed }
}

test('an error and the end after it open exactly one more', async () => {
  const { told, open, reach } = openings()
  const errors: unknown[] = []
  const stop = staySubscribed(open, { wait: () => 0, failed: error => errors.push(error) })
  told[0]?.onError(new Error('gone'))
  told[0]?.onComplete()
  told[0]?.onStopped()
  await reach(2)
  told[1]?.onStopped()
  await reach(3)
  stop()
  expect(told).toHaveLength(3)
  expect(errors).toHaveLength(1)
})

test('once stopped it never opens again', async () => {
  const { told, open, closed } = openings()
  const stop = staySubscribed(open, { wait: () => 0 })
  stop()
  told[0]?.onComplete()
  await new Promise(resolve => setImmediate(resolve))
  expect(told).toHaveLength(1)
  expect(closed()).toBe(1)
})

test('a start makes the next wait short again', async () => {
  const { told, open, reach } = openings()
  const attempts: number[] = []
  const stop = staySubscribed(open, { wait: attempt => (attempts.push(attempt), 0) })
  told[0]?.onStopped()
  await reach(2)
  told[1]?.onStopped()
  await reach(3)
  told[2]?.onStarted()
  told[2]?.onStopped()
  await reach(4)
  stop()
  expect(attempts).toEqual([0, 1, 0])
})

test('waits are spread and bounded', () => {
  for (let attempt = 0; attempt < 40; attempt += 1) expect(jitter(attempt)).toBeLessThanOrEqual(15_100)
})
