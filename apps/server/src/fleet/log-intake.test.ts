// Many who send logs share one server: a few blocks at a time, everybody in turn, and never more in memory than may wait.
import { expect, test } from 'vitest'
import { createLogIntake } from './log-intake.ts'

/** Work that ends when it is told to. */
function gated() {
  const begun: string[] = []
  const ends: (() => void)[] = []
  return {
    begun,
    work: (name: string) => () => {
      begun.push(name)
      return new Promise<void>(end => ends.push(end))
    },
    /** Ends the one that has run longest, and lets those who heard of it go on. */
    async endOne() {
      ends.shift()?.()
      await new Promise(resolve => setImmediate(resolve))
    },
  }
}

test('however many blocks a host sends, each other host gets its turn before the next of them (row 37)', async () => {
  const intake = createLogIntake({ atOnce: 1 })
  const gate = gated()
  const taken = ['greedy', 'greedy', 'greedy', 'anna', 'bert', 'greedy'].map((host, at) =>
    intake.take(host, 10, gate.work(`${host} ${at}`)),
  )
  for (let at = 0; at < 6; at += 1) await gate.endOne()
  await Promise.all(taken)
  expect(gate.begun).toEqual(['greedy 0', 'greedy 1', 'anna 3', 'bert 4', 'greedy 2', 'greedy 5'])
})

test('what waits is bounded for each host and for all, and who is turned away is told to come again', async () => {
  const intake = createLogIntake({ atOnce: 2, ofOneHost: 2, mostWaitingBytes: 100 })
  const gate = gated()
  const first = [intake.take('greedy', 50, gate.work('1')), intake.take('greedy', 50, gate.work('2'))]
  await expect(intake.take('greedy', 1, gate.work('3'))).rejects.toMatchObject({ code: 'too_many' })
  const anna = intake.take('anna', 60, gate.work('anna'))
  await expect(intake.take('bert', 60, gate.work('bert'))).rejects.toMatchObject({ code: 'too_many' })
  const small = intake.take('carl', 40, gate.work('carl'))
  for (let at = 0; at < 4; at += 1) await gate.endOne()
  await Promise.all([...first, anna, small])
  expect(gate.begun).toEqual(['1', '2', 'anna', 'carl'])
  // A block that failed leaves no place taken.
  const broken = intake.take('greedy', 1, () => Promise.reject(new Error('broken')))
  await expect(broken).rejects.toThrow('broken')
  const after = intake.take('greedy', 1, gate.work('after'))
  await gate.endOne()
  await after
})

test('the more hosts have sent in the last minute, the less each that connects may send', async () => {
  let now = 0
  const intake = createLogIntake({}, () => now)
  expect(intake.bytesPerSecond()).toBe(1024 * 1024)
  for (let host = 0; host < 63; host += 1) await intake.take(`host ${host}`, 1, async () => {})
  expect(intake.bytesPerSecond()).toBe((16 * 1024 * 1024) / 64)
  now = 59_000
  for (let host = 0; host < 5_000; host += 1) await intake.take(`other ${host}`, 1, async () => {})
  expect(intake.bytesPerSecond()).toBe(64 * 1024)
  now = 200_000
  expect(intake.bytesPerSecond()).toBe(1024 * 1024)
})

test('a block whose turn does not come is turned away before its agent gives it up, and leaves its place to others (row 14)', async () => {
  const intake = createLogIntake({ atOnce: 1, ofOneHost: 1, mostWaitingBytes: 10, mostWaitMs: 1 })
  const gate = gated()
  const slow = intake.take('slow', 1, gate.work('slow'))
  await expect(intake.take('anna', 10, gate.work('never'))).rejects.toMatchObject({ code: 'too_many' })
  await expect(intake.take('anna', 10, gate.work('never'))).rejects.toMatchObject({ code: 'too_many' })
  await gate.endOne()
  await slow
  const after = intake.take('anna', 10, gate.work('after'))
  await gate.endOne()
  await after
  expect(gate.begun).toEqual(['slow', 'after'])
})
