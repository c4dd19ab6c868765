// schedule.*: the set comes at once and whenever it moved, in full; its end comes with the socket's.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ScheduleSet } from '@restic-manager/contract/schedule'
import { connectMachine, helloOf, makeHost } from '../testing-fleet.ts'
import { insist, routerParts } from '../testing-routers.ts'
import { fireOf, hoursAgo, planOn } from '../testing-schedules.ts'
import { setScheduleEnabled } from '../fleet/schedules.ts'
import { agentRouter } from './router.ts'

let parts: Awaited<ReturnType<typeof routerParts>>
beforeAll(async () => {
  parts = await routerParts()
})
afterAll(() => parts.close())

const makeConnected = async () => {
  const host = await makeHost(parts.database.db, parts.database.seal)
  const socket = new AbortController()
  const api = agentRouter.createCaller(parts.agentContext(host.sender, socket.signal))
  await api.agent.hello(helloOf())
  const stream = (await api.schedule.set())[Symbol.asyncIterator]()
  const next = async () => (await stream.next()).value as ScheduleSet
  return { host, socket, api, stream, next }
}

test('the set comes at once, then after every edit, and is quiet in between', async () => {
  const { host, socket, stream, next } = await makeConnected()
  const { db } = parts.database
  expect(await next()).toMatchObject({ version: 1, schedules: [] })
  const scheduleId = await planOn(db, host)
  expect(await next()).toMatchObject({ version: 2, schedules: [{ id: scheduleId, enabled: true }] })
  const waiting = next()
  await host.backUp()
  await setScheduleEnabled(db, { scheduleId, version: 1, enabled: false })
  expect(await waiting).toMatchObject({ version: 3, schedules: [{ id: scheduleId, enabled: false }] })
  const last = stream.next()
  expect(parts.bus.listeners()).toBe(1)
  socket.abort()
  expect((await last).done).toBe(true)
  expect(parts.bus.listeners()).toBe(0)
})

test('edits that come while the reader is slow are one set', async () => {
  const { host, socket, next } = await makeConnected()
  await next()
  for (let edit = 0; edit < 3; edit += 1) await planOn(parts.database.db, host)
  expect(await next()).toMatchObject({ version: 4 })
  socket.abort()
})

test('the set goes on when every connection to the database was cut', async () => {
  const { host, socket, stream } = await makeConnected()
  await stream.next()
  const next = stream.next()
  await parts.database.sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`
  await insist(() => planOn(parts.database.db, host))
  expect((await next).value).toMatchObject({ schedules: [{ name: 'hourly' }] })
  socket.abort()
})

test('an agent acks, fires, and tells what did not run', async () => {
  const { host, socket, api, next } = await makeConnected()
  const scheduleId = await planOn(parts.database.db, host)
  const { version } = await next()
  await api.schedule.ack({ version, appliedAt: hoursAgo(0) })
  const sent = fireOf(host, scheduleId, hoursAgo(0))
  expect(await api.schedule.fire(sent)).toMatchObject({ seq: sent.seq, jobs: [{ decision: 'queued' }] })
  const fact = host.fact()
  expect(
    await api.schedule.notRun({
      ...fact,
      scheduleId,
      scheduleVersion: version,
      repositoryIds: [host.repositoryId],
      outcome: 'missed',
      from: hoursAgo(9),
      to: hoursAgo(5),
      count: 5,
      reason: 'host_was_off',
    }),
  ).toEqual({ seq: fact.seq })
  socket.abort()
})

test('an older session is told so by every call', async () => {
  const { host, socket, api, next } = await makeConnected()
  await next()
  await connectMachine(parts.database.db, host.machine)
  await planOn(parts.database.db, host)
  const fenced = { code: 'CONFLICT', cause: { code: 'session_fenced' } }
  await expect(next()).rejects.toMatchObject(fenced.cause)
  await expect(api.schedule.ack({ version: 1, appliedAt: hoursAgo(0) })).rejects.toMatchObject(fenced)
  await expect(api.schedule.fire(fireOf(host, host.repositoryId, hoursAgo(0)))).rejects.toMatchObject(fenced)
  socket.abort()
})
