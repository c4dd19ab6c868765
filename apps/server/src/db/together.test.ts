// Many in one statement: everybody gets their own answer, and nobody pays for another.
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { timing } from '@restic-manager/contract/timing'
import type { Db } from './open.ts'
import { DatabaseBusy } from './gate.ts'
import { together } from './together.ts'

const db = {} as Db

/** Doubles numbers, and notes who was asked for together. Does not know 13 in company, nor 14 at all, and breaks at 15. */
function makeDouble(pace?: Parameters<typeof together>[1]) {
  const batches: number[][] = []
  const double = together<number, number>(async (_db, numbers, alone) => {
    batches.push([...numbers])
    if (numbers.includes(15)) throw new Error('15 breaks it')
    return numbers.map(n => (n === 14 || (n === 13 && !alone) ? undefined : 2 * n))
  }, pace)
  return { double, batches }
}

test('who asks at the same time is asked for in one statement, and each gets their own answer', async () => {
  const { double, batches } = makeDouble()
  expect(await Promise.all([3, 1, 3, 2].map(n => double(db, n)))).toEqual([6, 2, 6, 4])
  expect(batches).toEqual([[3, 1, 3, 2]])
})

test('who comes while one statement is under way is in the next, so that nothing older is answered', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const batches: number[][] = []
  const slow = together<number, number>(async (_db, numbers) => {
    batches.push([...numbers])
    if (batches.length === 1) await promise
    return numbers
  })
  const first = slow(db, 1)
  const others = new Promise<unknown>(done => {
    setImmediate(() => {
      done(Promise.all([slow(db, 2), slow(db, 3)]))
      resolve()
    })
  })
  expect(await first).toBe(1)
  expect(await others).toEqual([2, 3])
  expect(batches).toEqual([[1], [2, 3]])
})

test('who cannot be answered in company is asked for alone, and may get no answer then', async () => {
  const { double, batches } = makeDouble()
  expect(await Promise.all([1, 13, 14].map(n => double(db, n)))).toEqual([2, 26, undefined])
  expect(batches).toEqual([[1, 13, 14], [13], [14]])
})

test('one that breaks the statement breaks it for nobody else', async () => {
  const { double } = makeDouble()
  const answers = await Promise.allSettled([1, 15, 2].map(n => double(db, n)))
  expect(answers).toMatchObject([
    { value: 2 },
    { status: 'rejected', reason: { message: '15 breaks it' } },
    { value: 4 },
  ])
})

test('when the database is away everybody hears of it at once, and nobody asks again', async () => {
  let asked = 0
  const away = together<number, number>(async () => {
    asked += 1
    throw new DatabaseBusy('no place')
  })
  const answers = await Promise.allSettled([1, 2, 3].map(n => away(db, n)))
  expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(asked).toBe(1)
  await expect(away(db, 4)).rejects.toBeInstanceOf(DatabaseBusy)
})

test('more than fit into one statement are asked for in several, and different databases never in one', async () => {
  const { double, batches } = makeDouble()
  const [others, many] = [double({} as Db, 7), Array.from({ length: 501 }, (_, n) => double(db, n + 100))]
  expect(await others).toBe(14)
  expect(await Promise.all(many)).toHaveLength(501)
  expect(batches.map(batch => batch.length)).toEqual([1, 500, 1])
})

test('many who come while a statement is under way do not wait for the pause after it', async () => {
  const began: number[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const slow = together<number, number>(
    async (_db, numbers) => {
      began.push(numbers.length)
      if (began.length === 1) await promise
      return numbers
    },
    // Nobody would wait for so long.
    { apartMs: 3_600_000, most: 500 },
  )
  const first = slow(db, 1)
  const others = new Promise<unknown>(done => {
    setImmediate(() => {
      done(Promise.all(Array.from({ length: 100 }, (_, n) => slow(db, n))))
      resolve()
    })
  })
  await first
  expect(await others).toHaveLength(100)
  expect(began).toEqual([1, 100])
})

test('who has waited so long that nobody listens any more is not asked for', async () => {
  const { promise, resolve } = Promise.withResolvers<void>()
  const asked: number[][] = []
  const slow = together<number, number>(async (_db, numbers) => {
    asked.push([...numbers])
    if (asked.length === 1) await promise
    return numbers
  })
  const first = slow(db, 1)
  const others = new Promise<unknown>(done => {
    setImmediate(() => {
      const late = slow(db, 2).catch((error: unknown) => error)
      const clock = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + timing.answer + 1)
      done(late.finally(() => clock.mockRestore()))
      resolve()
    })
  })
  await first
  expect(await others).toBeInstanceOf(DatabaseBusy)
  expect(await slow(db, 3)).toBe(3)
  expect(asked).toEqual([[1], [3]])
})

test('many who gather during the pause are not kept until its end', async () => {
  const { double, batches } = makeDouble({ apartMs: 3_600_000, most: 500 })
  expect(await double(db, 1)).toBe(2)
  const others = Array.from({ length: 99 }, (_, n) => double(db, n + 100))
  await turn()
  expect(batches).toHaveLength(1)
  expect(await Promise.all([...others, double(db, 7)])).toHaveLength(100)
  expect(batches.map(batch => batch.length)).toEqual([1, 100])
})

test('where nobody is in a hurry the pause grows with how many were asked for, and is short again afterwards', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  try {
    const { double, batches } = makeDouble({ apartMs: 50, busyMs: 250, most: 500 })
    const ask = (count: number) => Promise.all(Array.from({ length: count }, (_, n) => double(db, n + 100)))
    const pass = async (ms: number) => {
      await turn()
      await vi.advanceTimersByTimeAsync(ms)
    }
    await ask(4)
    const twenty = ask(20)
    await pass(99)
    expect(batches.map(batch => batch.length)).toEqual([4])
    await pass(1)
    await twenty
    const one = ask(1)
    await pass(249)
    expect(batches.map(batch => batch.length)).toEqual([4, 20])
    await pass(1)
    await one
    const last = ask(1)
    await pass(50)
    await last
    // A crowd that comes as one is not followed by another.
    await pass(50)
    await ask(100)
    const straggler = ask(1)
    await pass(50)
    await straggler
    expect(batches.map(batch => batch.length)).toEqual([4, 20, 1, 1, 100, 1])
  } finally {
    vi.useRealTimers()
  }
})
