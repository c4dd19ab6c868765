// What is new for many hosts in one look: each hears of its own, and a session that is over hears nothing.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { connectMachine, makeHost } from '../testing-fleet.ts'
import { cancelJob } from './jobs.ts'
import { newsOf } from './news.ts'
import { isNewTo, nextOrders, nothingSent } from './orders.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

test('hosts that look at the same time each learn what stands for themselves', async () => {
  const [one, other] = [
    await makeHost(database.db, database.seal),
    await makeHost(database.db, database.seal),
  ]
  const { jobId } = await one.backUp()
  const unwanted = await one.backUp()
  await cancelJob(database.db, { jobId: unwanted.jobId, requestedBy: 'anna@example.com' })
  const [first, second, again] = await Promise.all(
    [one, other, one].map(({ sender }) => newsOf(database.db, sender)),
  )
  expect(first).toMatchObject({ queued: [jobId], cancelled: [unwanted.jobId] })
  expect(second).toMatchObject({ queued: [], cancelled: [] })
  expect(again).toEqual(first)
})

test('it is news until the connection was told of it', async () => {
  const host = await makeHost(database.db, database.seal)
  const sent = nothingSent()
  const isNew = async () => {
    const standing = await newsOf(database.db, host.sender)
    return standing && isNewTo(sent, standing)
  }
  expect(await isNew()).toBe(true)
  await nextOrders(database.db, database.seal, host.sender, sent)
  expect(await isNew()).toBe(false)
  const { jobId } = await host.backUp()
  expect(await isNew()).toBe(true)
  await nextOrders(database.db, database.seal, host.sender, sent)
  expect(await isNew()).toBe(false)
  await cancelJob(database.db, { jobId, requestedBy: 'anna@example.com' })
  expect(await isNew()).toBe(true)
})

test('a session that was replaced hears nothing, whoever asks with it', async () => {
  const host = await makeHost(database.db, database.seal)
  const newest = await connectMachine(database.db, host.machine)
  const answers = await Promise.all([host.sender, newest].map(session => newsOf(database.db, session)))
  expect(answers).toMatchObject([undefined, { queued: [] }])
})
