// What is told as the newest arrives in order, is told again until it is answered, and stops with its connection.
import { expect, test } from 'vitest'
import { until } from '@restic-manager/testkit/until'
import { tellNewest } from './tell-newest.ts'

const open = () => new AbortController()

test('an older one never overtakes a newer one, and what is outdated meanwhile is left out', async () => {
  const told: number[] = []
  const first = Promise.withResolvers<void>()
  const tell = tellNewest<{ version: number }>(
    async ({ version }) => {
      if (version === 1) await first.promise
      told.push(version)
    },
    { closed: open().signal, onRefused: () => {} },
  )
  tell({ version: 1 })
  tell({ version: 2 })
  tell({ version: 3 })
  first.resolve()
  await until(
    () => told,
    seen => seen.includes(3),
  )
  expect(told).toEqual([1, 3])
})

test('without an answer it is told again, until a newer one takes its place', async () => {
  const tried: number[] = []
  const tell = tellNewest<{ version: number }>(
    async ({ version }) => {
      tried.push(version)
      if (tried.length < 3) throw new Error('no answer')
    },
    { closed: open().signal, onRefused: () => {} },
  )
  tell({ version: 1 })
  await until(
    () => tried,
    seen => seen.length === 3,
  )
  tell({ version: 2 })
  await until(
    () => tried,
    seen => seen.length === 4,
  )
  expect(tried).toEqual([1, 1, 1, 2])
})

test('nothing is told on a connection that is closed', async () => {
  const closed = open()
  const tried: object[] = []
  const tell = tellNewest<object>(
    async value => {
      tried.push(value)
      closed.abort()
      throw new Error('cut')
    },
    { closed: closed.signal, onRefused: () => {} },
  )
  tell({})
  tell({})
  expect(tried).toHaveLength(1)
  await Promise.resolve()
  tell({})
  expect(tried).toHaveLength(1)
})
