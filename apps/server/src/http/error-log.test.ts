// What the log says of an error, and what it must never say.
import { expect, test } from 'vitest'
import { operators } from '../db/schema-operators.ts'
import { testDatabase } from '../testing.ts'
import { describeError } from './error-log.ts'

test('a failed statement is told without its parameters', async () => {
  await using database = await testDatabase()
  const canary = 'canary-4711'
  const row = { id: canary, name: canary, email: canary }
  const failed = await database.db
    .insert(operators)
    .values(row)
    .catch((error: unknown) => error)
  const described = describeError(failed)
  expect(described).toMatchObject({ kind: 'PostgresError', code: '22P02' })
  expect(described.stack.length).toBeGreaterThan(0)
  expect(described.stack.join('\n')).not.toContain(canary)
  expect(String((failed as Error).message)).toContain(canary)
  expect(JSON.stringify(described)).not.toContain(canary)
})

test('anything may be thrown', () => {
  for (const thrown of [undefined, null, 'text', { message: 'x' }])
    expect(describeError(thrown).stack).toEqual([])
  const cause = new TypeError('inner')
  expect(describeError(new Error('outer', { cause }))).toMatchObject({ kind: 'TypeError', message: 'inner' })
})
