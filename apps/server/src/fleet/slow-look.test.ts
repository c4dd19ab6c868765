// The slow look: whoever has something to hear is woken though no notification came, and nobody else is.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from '@restic-manager/testkit/until'
import { testDatabase, type TestDatabase } from '../testing.ts'
import { connectMachine, makeHost } from '../testing-fleet.ts'
import { cancelJob } from './jobs.ts'
import { newsOf } from './news.ts'
import { nextOrders, nothingSent } from './orders.ts'
import { lookForOrders, lookForSchedules } from './slow-look.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await testDatabase()
})
afterAll(() => database.close())

/** A host whose stream of orders has said all there is. */
async function makeToldHost() {
  const host = await makeHost(database.db, database.seal)
  const sent = nothingSent()
  const read = () => nextOrders(database.db, database.seal, host.sender, sent)
  await read()
  return { host, sent, read }
}

/** Lets all of them look at once and answers which were woken, when all looks are over. */
async function look(
  asking: { host: { sender: Parameters<typeof lookForOrders>[1] }; sent: ReturnType<typeof nothingSent> }[],
) {
  const woken = new Set<number>()
  asking.forEach(({ host, sent }, at) =>
    lookForOrders(database.db, host.sender, sent, { readAll: () => woken.add(at) }),
  )
  // One that was never told anything is woken in any case, and asks last.
  const last = await makeHost(database.db, database.seal)
  let isOver = false
  lookForOrders(database.db, last.sender, nothingSent(), { readAll: () => (isOver = true) })
  await until(() => isOver)
  return [...woken]
}

test('of many who look at once only those with something to hear are woken, until they were told', async () => {
  const [quiet, ordered, changed] = [await makeToldHost(), await makeToldHost(), await makeToldHost()]
  expect(await look([quiet, ordered, changed])).toEqual([])
  const { jobId } = await ordered.host.backUp()
  await database.db.execute(
    `update hosts set config_version = config_version + 1 where id = '${changed.host.sender.id}'`,
  )
  expect(await look([quiet, ordered, changed])).toEqual([1, 2])
  await Promise.all([ordered.read(), changed.read()])
  // The job still waits for its answer.
  expect(await look([quiet, ordered, changed])).toEqual([])
  await cancelJob(database.db, { jobId, requestedBy: 'anna@example.com' })
  expect(await look([quiet, ordered, changed])).toEqual([1])
})

test('a host whose key is to change is woken once for it', async () => {
  const told = await makeToldHost()
  await database.db.execute(
    `update hosts set key_change_wanted_at = now() where id = '${told.host.sender.id}'`,
  )
  expect(await look([told])).toEqual([0])
  await told.read()
  expect(await look([told])).toEqual([])
})

test('a stream whose session was replaced is woken, and finds that out', async () => {
  const told = await makeToldHost()
  await connectMachine(database.db, told.host.machine)
  expect(await look([told])).toEqual([0])
  await expect(told.read()).rejects.toMatchObject({ code: 'session_fenced' })
})

test('a plan is told when its version is another, be it lower', async () => {
  const host = await makeHost(database.db, database.seal)
  const standing = await newsOf(database.db, host.sender)
  const now = standing?.scheduleVersion ?? Number.NaN
  const woken: (number | undefined)[] = []
  const versions = [now, now + 1, undefined]
  for (const version of versions)
    lookForSchedules(database.db, host.sender, version, { readAll: () => woken.push(version) })
  await until(() => woken.length === 2)
  expect(woken).toEqual([now + 1, undefined])
})

test('streams of one connection look together, and each is woken for what is its own', async () => {
  const { host, sent, read } = await makeToldHost()
  const { scheduleVersion = Number.NaN } = (await newsOf(database.db, host.sender)) ?? {}
  const untold = nothingSent()
  async function lookWithAll() {
    const woken: string[] = []
    const wakes = (name: string) => ({ readAll: () => woken.push(name) })
    lookForOrders(database.db, host.sender, sent, wakes('orders'))
    lookForSchedules(database.db, host.sender, scheduleVersion, wakes('plan'))
    lookForOrders(database.db, host.sender, untold, wakes('orders again'))
    await look([])
    return woken
  }
  expect(await lookWithAll()).toEqual(['orders again'])
  await host.backUp()
  expect(await lookWithAll()).toEqual(['orders', 'orders again'])
  await read()
  await database.db.execute(
    `update hosts set schedule_version = schedule_version + 1 where id = '${host.sender.id}'`,
  )
  expect(await lookWithAll()).toEqual(['plan', 'orders again'])
})

test('when a look cannot be taken, whoever looked is woken to find out why', async () => {
  const { host, sent } = await makeToldHost()
  const woken: string[] = []
  const nobody = { ...host.sender, id: 'not the id of a host' }
  lookForOrders(database.db, host.sender, sent, { readAll: () => woken.push('told') })
  lookForOrders(database.db, nobody, sent, { readAll: () => woken.push('nobody') })
  await until(() => woken.length === 2)
})
