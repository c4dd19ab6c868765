// What the alarm promises: nobody is forgotten, and nobody is kept waiting for a whole fleet.
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createAlarm, SLICE } from './alarm.ts'

function fleet(count: number) {
  const woken: number[] = []
  return { woken, sleepers: Array.from({ length: count }, (_, at) => ({ wake: () => void woken.push(at) })) }
}

test('a fleet is woken slice by slice, each in its order and once, and others have their turn in between', async () => {
  const { woken, sleepers } = fleet(2 * SLICE + 10)
  const wake = createAlarm()
  for (const sleeper of sleepers) wake(sleeper)
  for (const sleeper of sleepers.slice(SLICE)) wake(sleeper)
  const seen: number[] = []
  while (seen.at(-1) !== woken.length) {
    seen.push(woken.length)
    await turn()
  }
  expect(seen).toEqual([SLICE, 2 * SLICE, 2 * SLICE + 10])
  expect(woken).toEqual(sleepers.map((_, at) => at))
})

test('whoever comes to a quiet alarm is woken at once, also after a fleet', async () => {
  const { woken, sleepers } = fleet(SLICE + 2)
  const wake = createAlarm()
  const [first, ...others] = sleepers
  wake({ wake: () => first?.wake() })
  expect(woken).toEqual([0])
  for (const sleeper of others) wake(sleeper)
  while (woken.length < sleepers.length) await turn()
  await turn()
  wake({ wake: () => first?.wake() })
  expect(woken.at(-1)).toBe(0)
})

test('what a reader wakes when it is woken has its turn as well', async () => {
  const wake = createAlarm()
  let last = 0
  const chain = (left: number) => ({
    wake() {
      last = left
      if (left > 0) wake(chain(left - 1))
    },
  })
  wake(chain(3 * SLICE))
  expect(last).toBeGreaterThan(SLICE)
  while (last > 0) await turn()
})
