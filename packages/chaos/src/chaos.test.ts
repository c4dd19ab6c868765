// One minute of the chaos runner in every run of the tests; `npm run chaos` has others, and longer ones.
import { expect, test } from 'vitest'
import { runChaos } from './run-chaos.ts'

const seed = 4

test(`a minute of faults and load on two servers and many hosts breaks no promise (seed ${seed})`, async ({
  signal,
}) => {
  const said: string[] = []
  const { violations, counts, injected } = await runChaos({
    ...{ seed, minutes: 1, real: 2, simulated: 12, keep: 'never', signal },
    note: sentence => void said.push(sentence),
  })
  expect(violations, said.join('\n')).toEqual([])
  // A run in which little happened would prove little.
  expect(Object.values(injected).reduce((sum, times) => sum + times, 0)).toBeGreaterThan(25)
  expect(counts.ordersGiven).toBeGreaterThan(50)
  expect(counts.facts).toBeGreaterThan(200)
}, 400_000)
