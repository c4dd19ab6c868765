// Places for agents on their way in: bounded, kept over the steps of one host, and given back whatever happens.
import { expect, test, vi } from 'vitest'
import { Busy, createArrivals } from './arrivals.ts'

const limits = { most: 2, placeMs: 60_000 }
const done = async () => 'done'

test('hosts beyond the limit are turned away before anything is done for them, and told when to ask again', async () => {
  const arrivals = createArrivals(limits)
  await arrivals.step('a', done)
  await arrivals.step('b', done)
  const work = vi.fn(done)
  const refusal = await arrivals.step('c', work).catch((error: unknown) => error)
  expect(refusal).toBeInstanceOf(Busy)
  expect((refusal as Busy).retryAfterSeconds).toBeGreaterThanOrEqual(1)
  expect(work).not.toHaveBeenCalled()
  // Whoever is on its way goes on.
  expect(await arrivals.step('a', done)).toBe('done')
})

test('a place is given back when a step fails, when the host was told everything, and when its connection is gone', async () => {
  const arrivals = createArrivals({ ...limits, most: 1 })
  await expect(arrivals.step('a', () => Promise.reject(new Error('no such host')))).rejects.toThrow(
    'no such host',
  )
  await arrivals.step('b', done)
  const place = arrivals.seat('b')
  place.told('orders')
  expect(arrivals.isFull()).toBe(true)
  place.told('schedules')
  expect(arrivals.isFull()).toBe(false)
  const gone = arrivals.seat('c')
  const newer = arrivals.seat('c')
  gone.leave()
  expect(arrivals.isFull()).toBe(true)
  newer.leave()
  expect(arrivals.isFull()).toBe(false)
})

test('a bearer keeps the place of the host that proved itself here, and needs one when it did so elsewhere', async () => {
  const arrivals = createArrivals({ ...limits, most: 1 })
  await arrivals.step('a', done)
  arrivals.expect('bearer of a', 'a')
  await expect(arrivals.stepOfBearer('bearer of b', done)).rejects.toThrow(Busy)
  expect(await arrivals.stepOfBearer('bearer of a', done)).toBe('done')
  arrivals.seat('a').leave()
  expect(await arrivals.stepOfBearer('bearer of b', done)).toBe('done')
  expect(arrivals.isFull()).toBe(false)
})

test('a host that came in by another server gives its place back here, and one that came in here keeps it', async () => {
  const arrivals = createArrivals({ ...limits, most: 1 })
  await arrivals.step('a', done)
  arrivals.greeted('a')
  expect(arrivals.isFull()).toBe(false)
  arrivals.seat('b')
  arrivals.greeted('b')
  expect(arrivals.isFull()).toBe(true)
})

test('who does not come on loses the place', async () => {
  const arrivals = createArrivals({ most: 1, placeMs: -1 })
  await arrivals.step('slow', done)
  expect(await arrivals.step('next', done)).toBe('done')
})

test('the more hosts wait, the later each is asked to come again, up to half a minute', () => {
  // All ask in one moment, however long this machine takes for it.
  vi.useFakeTimers({ toFake: ['performance'] })
  try {
    const arrivals = createArrivals(limits, () => 0)
    expect(arrivals.turnAway().retryAfterSeconds).toBe(1)
    const asked = Array.from({ length: 5_000 }, () => arrivals.turnAway().retryAfterSeconds)
    expect(asked).toEqual(asked.toSorted((a, b) => a - b))
    // Who waits once to twice the time it was asked comes by its turn, when two hundred get in each second.
    expect(asked[4_000]).toBe(10)
    expect(asked.at(-1)).toBeLessThanOrEqual(30)
  } finally {
    vi.useRealTimers()
  }
})

test('a server that lets its hosts in slowly asks the others to wait longer', () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  try {
    const arrivals = createArrivals({ most: 1, placeMs: 60_000 }, () => 0)
    for (let host = 0; host < 200; host += 1) {
      const place = arrivals.seat(`host ${host}`)
      vi.advanceTimersByTime(200)
      for (const part of ['orders', 'schedules'] as const) place.told(part)
    }
    for (let host = 0; host < 99; host += 1) arrivals.turnAway()
    // The hundredth, of whom five get in each second.
    expect(arrivals.turnAway().retryAfterSeconds).toBeGreaterThanOrEqual(9)
  } finally {
    vi.useRealTimers()
  }
})
