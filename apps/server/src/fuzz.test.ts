// A few hundred inputs of a fixed seed; `npm run fuzz` throws as many as one likes.
import { expect, test } from 'vitest'
import { runFuzz } from './testing-fuzz.ts'

test('whatever agents, strangers and operators send is answered with success or a known refusal, and changes nothing of others', async () => {
  const { faults, answers, cases, internal, hung, changed } = await runFuzz({ seed: 5, cases: 750 })
  expect(faults).toEqual([])
  expect({ cases, internal, hung, changed }).toEqual({ cases: 750, internal: 0, hung: 0, changed: 0 })
  // Not all of it is turned down at the first look: what agents send gets as far as the tables.
  const agent = Object.entries(answers).filter(([path]) =>
    /^(?:agent|job|log|command|repo|schedule)\.|^snapshots\.report$/.test(path),
  )
  expect(agent.filter(([, counts]) => (counts['ok'] ?? 0) === 0).map(([path]) => path)).toEqual([])
})
