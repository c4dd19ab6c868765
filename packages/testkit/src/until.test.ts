// What tests may rely on when they wait.
import { expect, test } from 'vitest'
import { is, until } from './until.ts'

test('until returns the first value that is accepted', async () => {
  let reads = 0
  expect(
    await until(
      () => ++reads,
      value => value >= 3,
      { everyMs: 1 },
    ),
  ).toBe(3)
  expect(reads).toBe(3)
})

test('until waits for a truthy value when nothing else is asked', async () => {
  const answers = [undefined, null, '', 'here']
  expect(await until(() => answers.shift(), undefined, { everyMs: 1 })).toBe('here')
})

test('until reads asynchronously and treats a failing read as not yet', async () => {
  let reads = 0
  const read = async () => {
    reads += 1
    if (reads < 3) throw new Error('not up yet')
    return { status: 'ready' }
  }
  expect(await until(read, is({ status: 'ready' }), { everyMs: 1 })).toEqual({ status: 'ready' })
})

test('giving up says what was awaited and what was seen last', async () => {
  const waiting = until(() => ({ status: 'queued' }), is({ status: 'running' }), {
    what: 'the job to run',
    timeoutMs: 5,
    everyMs: 1,
  })
  await expect(waiting).rejects.toThrow("waited 5 ms for the job to run; last seen: { status: 'queued' }")
})

test('giving up on a read that only ever failed carries its error', async () => {
  const refused = new Error('connection refused')
  const waiting = until(() => Promise.reject(refused), undefined, { timeoutMs: 5, everyMs: 1 })
  await expect(waiting).rejects.toMatchObject({
    message: 'waited 5 ms for the awaited truth; last error: connection refused',
    cause: refused,
  })
})
