// Promises of the graph's scale.
import { expect, test } from 'vitest'
import { rateScale } from './rate-scale.ts'

test('the top is round, above the highest value, and not far above', () => {
  for (const max of [0, 1, 900, 5_000, 66 * 1024 ** 2, 99 * 1024 ** 2, 3.2 * 1024 ** 3]) {
    const { top } = rateScale(max)
    expect(top).toBeGreaterThanOrEqual(max)
    expect(top).toBeLessThanOrEqual(Math.max(4, max * 2.6))
  }
})

test('steps are in the unit that is named', () => {
  expect(rateScale(66 * 1024 ** 2)).toMatchObject({ unit: 'MiB/s', steps: [0, 20, 40, 60, 80] })
})
