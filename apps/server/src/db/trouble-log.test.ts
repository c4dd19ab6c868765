// What the log says of a database in trouble: at once, then in numbers, then nothing.
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Log } from '@restic-manager/runtime/log'
import { createTroubleLog } from './trouble-log.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

test('the first trouble is told at once, the others as numbers, and quiet ends it', () => {
  const said: unknown[] = []
  const log = { warn: ({ codes }: { codes: unknown }) => said.push(codes) } as unknown as Log
  const tell = createTroubleLog(log, 10_000)
  for (const code of ['ECONNREFUSED', 'ECONNREFUSED', '53100']) tell(code)
  expect(said).toEqual([{ ECONNREFUSED: 1 }])
  vi.advanceTimersByTime(10_000)
  expect(said.slice(1)).toEqual([{ ECONNREFUSED: 1, '53100': 1 }])
  vi.advanceTimersByTime(60_000)
  expect(said).toHaveLength(2)
  tell('57P01')
  expect(said.at(-1)).toEqual({ '57P01': 1 })
})
