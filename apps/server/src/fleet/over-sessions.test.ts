// Which sessions are over: of a fleet only those are named, each with its reason.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newId } from '@restic-manager/contract/ids'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { connectMachine, makeHost } from '../testing-fleet.ts'
import { overAmong } from './over-sessions.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

test('who may stay is not named, and everybody else with the reason', async () => {
  const host = () => makeHost(database.db, database.seal)
  const [well, removed, quarantined, replaced] = [await host(), await host(), await host(), await host()]
  await database.db.execute(`update hosts set removed_at = now() where id = '${removed.sender.id}'`)
  await database.db.execute(`update hosts set quarantined_at = now() where id = '${quarantined.sender.id}'`)
  const newest = await connectMachine(database.db, replaced.machine)
  const stranger = { ...well.sender, id: newId() }
  const ofAnother = { ...well.sender, timeline: 'FFFFFFFF' }
  const expected = new Map([
    [removed.sender, 'shut'],
    [quarantined.sender, 'shut'],
    [replaced.sender, 'fenced'],
    [stranger, 'shut'],
    [ofAnother, 'overtaken'],
  ])
  const asked = [well.sender, ...expected.keys(), newest]
  const named = new Map((await overAmong(database.db, asked)).map(({ at, over }) => [asked[at], over]))
  expect(named).toEqual(expected)
  expect(await overAmong(database.db, [])).toEqual([])
})

test('of more than fit into one statement each is found', async () => {
  const { sender } = await makeHost(database.db, database.seal)
  const asked = Array.from({ length: 2_500 }, (_, at) =>
    at % 1_000 === 999 ? { ...sender, id: newId() } : sender,
  )
  const named = await overAmong(database.db, asked)
  expect(named.map(({ at }) => at)).toEqual([999, 1_999])
})
