// The agents' router: hello first, every answer declared, orders as they come, and an end when the socket closes.
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AgentOrder } from '@restic-manager/contract/agent'
import { newId } from '@restic-manager/contract/ids'
import { cancelJob } from '../fleet/jobs.ts'
import { viewHost } from '../fleet/host-views.ts'
import { connectMachine, helloOf, makeHost } from '../testing-fleet.ts'
import { insist, routerParts } from '../testing-routers.ts'
import { agentRouter } from './router.ts'

let parts: Awaited<ReturnType<typeof routerParts>>
beforeAll(async () => {
  parts = await routerParts()
})
afterAll(() => parts.close())

const makeConnected = async () => {
  const host = await makeHost(parts.database.db, parts.database.seal)
  const socket = new AbortController()
  const context = parts.agentContext(host.sender, socket.signal)
  return { ...host, socket, context, api: agentRouter.createCaller(context) }
}

test('these and no others are the messages of an agent', () => {
  expect(Object.keys(agentRouter._def.procedures).toSorted()).toEqual([
    'agent.heartbeat',
    'agent.hello',
    'agent.offerKey',
    'agent.orders',
    'command.result',
    'config.ack',
    'job.finished',
    'job.progress',
    'job.started',
    'log.stream',
    'repo.stats',
    'schedule.ack',
    'schedule.fire',
    'schedule.notRun',
    'schedule.set',
    'snapshots.report',
  ])
})

test('every call but hello is refused before hello', async () => {
  const { api, fact, repositoryId } = await makeConnected()
  const header = { jobId: newId(), kind: 'backup' as const, repositoryId }
  const sentAt = '2026-11-23T07:00:00.000Z'
  const early: (() => Promise<unknown>)[] = [
    () => api.agent.heartbeat({ sentAt, spool: { facts: 0, logBytes: 0 } }),
    () => api.agent.orders(),
    () => api.config.ack({ version: 1, appliedAt: sentAt }),
    () => api.command.result({ ...fact('first'), ...header, accepted: true }),
    () =>
      api.job.started({
        ...fact(),
        ...header,
        startedAt: sentAt,
        command: 'restic',
        resticVersion: '0.18.0',
      }),
    () => api.repo.stats({ repositoryId, lockState: 'unlocked' }),
  ]
  for (const call of early)
    await expect(call()).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
      cause: { code: 'hello_first' },
    })
})

test('the configuration, a job and its cancel arrive as they come', async () => {
  const { api, socket, backUp } = await makeConnected()
  await api.agent.hello(helloOf())
  const stream = (await api.agent.orders())[Symbol.asyncIterator]()
  const next = async (): Promise<AgentOrder> => (await stream.next()).value as AgentOrder
  expect(await next()).toMatchObject({ order: 'config.update', version: 2 })
  const { jobId } = await backUp()
  expect(await next()).toMatchObject({ order: 'command.run', jobId, configVersion: 2 })
  await cancelJob(parts.database.db, { jobId, requestedBy: 'anna@example.com' })
  expect(await next()).toMatchObject({ order: 'command.cancel', jobId, kind: 'backup' })
  const waiting = stream.next()
  expect(parts.bus.listeners()).toBe(1)
  socket.abort()
  expect((await waiting).done).toBe(true)
  expect(parts.bus.listeners()).toBe(0)
})

test('a fenced session is told so on every call', async () => {
  const { api, machine } = await makeConnected()
  await api.agent.hello(helloOf())
  await connectMachine(parts.database.db, machine)
  const stream = (await api.agent.orders())[Symbol.asyncIterator]()
  await expect(stream.next()).rejects.toMatchObject({ code: 'session_fenced' })
  await expect(api.config.ack({ version: 1, appliedAt: '2026-11-23T07:00:00.000Z' })).rejects.toMatchObject({
    code: 'CONFLICT',
    cause: { code: 'session_fenced' },
  })
})

test('a heartbeat keeps a host online and its closed socket takes it offline, unless a newer one is there', async () => {
  const { api, context, socket, machine, hostId } = await makeConnected()
  const { db } = parts.database
  await api.agent.hello(helloOf())
  await api.agent.heartbeat({ sentAt: '2026-11-23T07:00:00.000Z', spool: { facts: 3, logBytes: 9 } })
  await context.presence.flush(db)
  expect(await viewHost(db, hostId)).toMatchObject({ state: 'online', spool: { facts: 3 } })
  socket.abort()
  await context.presence.flush(db)
  expect(await viewHost(db, hostId)).toMatchObject({ state: 'offline', spool: { facts: 3 } })

  await connectMachine(db, machine)
  context.presence.heard(context.host, { spool: { facts: 99, logBytes: 0 }, skewMs: 0 })
  context.presence.arrived(context.host, socket.signal)
  await context.presence.flush(db)
  expect(await viewHost(db, hostId)).toMatchObject({ state: 'online', spool: { facts: 3 } })
})

test('orders go on when every connection to the database was cut', async () => {
  const { api, socket, backUp } = await makeConnected()
  const { database } = parts
  await api.agent.hello(helloOf())
  const stream = (await api.agent.orders())[Symbol.asyncIterator]()
  expect((await stream.next()).value).toMatchObject({ order: 'config.update' })
  const next = stream.next()
  await database.sql`select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()`
  const { jobId } = await insist(backUp)
  expect((await next).value).toMatchObject({ order: 'command.run', jobId })
  socket.abort()
})
