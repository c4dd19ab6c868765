// How long to wait before trying again, with a given chance instead of a random one.
import { expect, test } from 'vitest'
import { startBackoff } from './backoff.ts'

const limits = { baseMs: 1_000, capMs: 60_000, resetMs: 60_000 }
const always = (chance: number) => () => chance

test('the ceiling doubles with every failure and stops at the cap', () => {
  const backoff = startBackoff(limits, always(1))
  expect(Array.from({ length: 8 }, () => backoff.next())).toEqual([
    1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000,
  ])
})

test('the wait lies anywhere between nothing and the ceiling', () => {
  expect(startBackoff(limits, always(0)).next()).toBe(0)
  expect(startBackoff(limits, always(0.25)).next()).toBe(250)
})

test('something that held only briefly does not make the wait short again', () => {
  const backoff = startBackoff(limits, always(1))
  backoff.next()
  backoff.next()
  expect(backoff.next(59_999)).toBe(4_000)
})

test('something that held long enough starts from the bottom', () => {
  const backoff = startBackoff(limits, always(1))
  backoff.next()
  backoff.next()
  expect(backoff.next(60_000)).toBe(1_000)
})

test('a fleet that lost its server at once does not come back at once', () => {
  const waits = Array.from({ length: 200 }, () => startBackoff({ ...limits, baseMs: 60_000 }).next())
  const firstSecond = waits.filter(wait => wait < 1_000).length
  expect(firstSecond).toBeLessThan(40)
})
