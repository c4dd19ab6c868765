// A few hundred inputs of a fixed seed; `npm run fuzz` throws as many as one likes.
import { isLongRun } from '@restic-manager/testkit/restic'
import { expect, test } from 'vitest'
import { runFuzz } from './testing-fuzz.ts'

const cases = isLongRun ? 750 : 500

test('whatever agents, strangers and operators send is answered with success or a known refusal, and changes nothing of others', async () => {
  const { faults, answers, cases: tried, internal, hung, changed } = await runFuzz({ seed: 5, cases })
  expect(faults).toEqual([])
  expect({ tried, internal, hung, changed }).toEqual({ tried: cases, internal: 0, hung: 0, changed: 0 })
  // Not all of it is turned down at the first look: what agents send gets as far as the tables.
  const agent = Object.entries(answers).filter(([path]) =>
    /^(?:agent|job|log|command|repo|schedule)\.|^snapshots\.report$/.test(path),
  )
  expect(agent.filter(([, counts]) => (counts['ok'] ?? 0) === 0).map(([path]) => path)).toEqual([])
})
