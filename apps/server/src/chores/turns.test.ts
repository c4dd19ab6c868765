// Turns: whoever asks, each round is done by one.
import { eq, sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Db } from '../db/open.ts'
import { choreTurns } from '../db/schema-server.ts'
import { testDatabase } from '../testing.ts'
import { takeTurn } from './turns.ts'

const turn = { name: 'sweep', periodMs: 60_000 }

/** As if so much time had gone by for the turns of this name. */
const age = (db: Db, ms: number, name = turn.name) =>
  db
    .update(choreTurns)
    .set({ nextAt: sql`${choreTurns.nextAt} - ${ms} * interval '1 millisecond'` })
    .where(eq(choreTurns.name, name))

test('of many servers that ask at once one gets the turn, and the next is due a period later', async () => {
  await using database = await testDatabase()
  const { db } = database
  const ask = () => Promise.all(Array.from({ length: 8 }, () => takeTurn(db, turn)))
  expect((await ask()).filter(Boolean)).toHaveLength(1)
  expect((await ask()).filter(Boolean)).toHaveLength(0)
  await age(db, turn.periodMs)
  expect((await ask()).filter(Boolean)).toHaveLength(1)
})

test('a round whose server died costs one period', async () => {
  await using database = await testDatabase()
  const { db } = database
  // The first got the turn and is not heard of again.
  expect(await takeTurn(db, turn)).toBe(true)
  await age(db, turn.periodMs)
  expect(await takeTurn(db, turn)).toBe(true)
})

test('after nobody took turns for long, rounds rest, and a server that starts meanwhile does not make the rest longer', async () => {
  await using database = await testDatabase()
  const { db } = database
  const resting = { ...turn, rest: { afterMs: 300_000, forMs: 900_000 } }
  const later = async (ms: number) => {
    await age(db, ms)
    await age(db, ms, `${turn.name}, rest`)
    return takeTurn(db, resting)
  }
  // The very first turn: nobody knows how long there was no server.
  expect(await takeTurn(db, resting)).toBe(false)
  expect(await later(turn.periodMs)).toBe(false)
  for (const ms of [240_000, 240_000, 240_000]) expect(await later(ms)).toBe(false)
  expect(await later(120_000)).toBe(true)
  // A rolling restart: servers go and come, turns follow each other.
  expect(await later(240_000)).toBe(true)
  // All of them were away.
  expect(await later(600_000)).toBe(false)
  expect(await later(240_000)).toBe(false)
  // And again during the rest, which begins anew.
  expect(await later(600_000)).toBe(false)
  expect(await later(240_000)).toBe(false)
})
