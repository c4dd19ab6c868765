// The shared clock of simulated agents.
import { expect, test } from 'vitest'
import { createTimerWheel } from './timer-wheel.ts'

test('timers go off once each, in the order of their times, and those that were called off do not', async () => {
  const wheel = createTimerWheel()
  const seen: string[] = []
  const done = Promise.withResolvers<void>()
  wheel.after(60, () => seen.push('second'))
  wheel.after(0, () => seen.push('first'))
  const callOff = wheel.after(30, () => seen.push('never'))
  wheel.after(120, done.resolve)
  expect(wheel.size()).toBe(4)
  callOff()
  callOff()
  await done.promise
  expect(seen).toEqual(['first', 'second'])
  expect(wheel.size()).toBe(0)
})

test('a timer may set another, and call off one of the same moment', async () => {
  const wheel = createTimerWheel()
  const seen: string[] = []
  const done = Promise.withResolvers<void>()
  const callOffs: (() => void)[] = []
  const first = (name: string) => () => {
    seen.push(name)
    for (const callOff of callOffs) callOff()
    wheel.after(10, done.resolve)
  }
  for (const name of ['one', 'two']) callOffs.push(wheel.after(20, first(name)))
  await done.promise
  expect(seen).toEqual(['one'])
  expect(wheel.size()).toBe(0)
})
