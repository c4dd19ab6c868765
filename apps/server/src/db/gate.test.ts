// The door to the database: its places, its queue, and what happens when both are full.
import { expect, test } from 'vitest'
import { createGate, DatabaseBusy } from './gate.ts'

const held = () => Promise.withResolvers<string>()

test('so many are inside at a time, and whoever came first is next', async () => {
  const gate = createGate({ most: 2, mostWaiting: 10, waitMs: 60_000 })
  const [one, two] = [held(), held()]
  const order: string[] = []
  const enter = (name: string) => gate.pass(async () => void order.push(name))
  const inside = [gate.pass(() => one.promise), gate.pass(() => two.promise)]
  const later = ['a', 'b', 'c'].map(enter)
  await Promise.resolve()
  expect(order).toEqual([])
  one.resolve('one')
  await Promise.all(later)
  expect(order).toEqual(['a', 'b', 'c'])
  two.resolve('two')
  expect(await Promise.all(inside)).toEqual(['one', 'two'])
})

test('nobody waits for long, and a full queue turns away at once', async () => {
  const gate = createGate({ most: 1, mostWaiting: 1, waitMs: 20 })
  const { promise, resolve } = held()
  const inside = gate.pass(() => promise)
  const waiting = gate.pass(async () => 'never')
  await expect(gate.pass(async () => 'never')).rejects.toThrow(DatabaseBusy)
  await expect(waiting).rejects.toThrow(DatabaseBusy)
  resolve('done')
  expect(await inside).toBe('done')
  expect(await gate.pass(async () => 'next')).toBe('next')
})

test('a place is given on also when what was done there failed', async () => {
  const gate = createGate({ most: 1, mostWaiting: 1, waitMs: 60_000 })
  const failing = gate.pass(() => Promise.reject(new Error('broken')))
  const next = gate.pass(async () => 'next')
  await expect(failing).rejects.toThrow('broken')
  expect(await next).toBe('next')
})
