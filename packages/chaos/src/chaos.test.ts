// A little of the chaos runner in every run of the tests, a minute in the long one; `npm run chaos` has others, and longer ones.
import { isLongRun } from '@restic-manager/testkit/restic'
import { expect, test } from 'vitest'
import { runChaos } from './run-chaos.ts'

const seed = 4
const seconds = isLongRun ? 60 : 10

test(`${seconds} seconds of faults and load on two servers and many hosts break no promise (seed ${seed})`, async ({
  signal,
}) => {
  const said: string[] = []
  const { violations, counts, injected } = await runChaos({
    ...{ seed, minutes: seconds / 60, keep: 'never', signal },
    ...(isLongRun ? { real: 2, simulated: 12 } : { real: 1, simulated: 6 }),
    note: sentence => void said.push(sentence),
  })
  expect(violations, said.join('\n')).toEqual([])
  // A run in which little happened would prove little.
  expect(Object.values(injected).reduce((sum, times) => sum + times, 0)).toBeGreaterThan(seconds * 0.4)
  expect(counts.ordersGiven).toBeGreaterThan(seconds * 0.8)
  expect(counts.facts).toBeGreaterThan(seconds * 3)
}, 400_000)
