// A server that is broken or turned hostile: whatever it says, the agent lives, keeps its facts, and dials again.
import { newId } from '@restic-manager/contract/ids'
import type { ConfigUpdate } from '@restic-manager/contract/repository'
import { createLog } from '@restic-manager/runtime/log'
import { until } from '@restic-manager/testkit/until'
import { TRPCError } from '@trpc/server'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { WebSocketServer, type WebSocket } from 'ws'
import { enrolHost } from './enrol.ts'
import { openLink } from './link.ts'
import { openOrderDesk } from './orders.ts'
import { readJob } from './job-book.ts'
import { noReserve } from './reserve.ts'
import { startRunner } from './runner.ts'
import { openState } from './state.ts'
import { createTestClock } from './testing-clock.ts'
import { openDesk } from './testing-desk.ts'
import { backupOrder, configOrder } from './testing-orders.ts'
import { testFolder } from './testing-folder.ts'
import { timing } from '@restic-manager/contract/timing'

const deep = `${'['.repeat(200_000)}${']'.repeat(200_000)}`
const frames: [string, string | Buffer][] = [
  ['garbage', 'garbage'],
  ['nothing', 'null'],
  ['a number', '5'],
  ['an answer of nothing', '{"id":1,"result":null}'],
  ['an error of nothing', '{"id":null,"error":null}'],
  ['bytes', Buffer.from('{}')],
  ['lists 200,000 deep', deep],
  ['50,000 answers in one', `[${Array(50_000).fill('{"id":1}').join(',')}]`],
]
test.concurrent.for(frames)(
  'a frame that is no message (%s) ends the link and not the agent',
  async ([, frame]) => {
    using sockets = serveSockets(socket => socket.send(frame))
    const link = await openLink(
      { serverUrl: await sockets.url(), bearer: 'b', timing },
      new AbortController().signal,
    )
    await until(() => link.closed.aborted)
    expect(link.closed.reason).toContain('cannot be understood')
  },
)

test.concurrent.for<[string, (socket: WebSocket) => void]>([
  ['a frame larger than any configuration', socket => socket.send('x'.repeat(17 * 1024 * 1024))],
  ['a text in endless pieces of a byte', socket => sendPieces(socket, 300_000)],
])('%s ends the link, and is not kept in memory', async ([, say]) => {
  using sockets = serveSockets(say)
  const before = process.memoryUsage().rss
  const link = await openLink(
    { serverUrl: await sockets.url(), bearer: 'b', timing },
    new AbortController().signal,
  )
  await until(() => link.closed.aborted)
  expect(process.memoryUsage().rss - before).toBeLessThan(150e6)
})

test('an end that the server cannot take is told in its shortest form, so that the job ends there too', async () => {
  await using desk = await openDesk()
  let refused = 0
  desk.end.before = (name, input) => {
    if (name !== 'job.finished' || (input as { stats?: unknown }).stats === undefined) return
    refused += 1
    throw new TRPCError({ code: 'BAD_REQUEST' })
  }
  const order = backupOrder()
  desk.end.order(order)
  expect(await desk.ending(order.jobId)).toMatchObject({ status: 'succeeded', warnings: [] })
  expect(refused).toBe(1)
})

test('an end that the server will never take is not announced as on its way', async () => {
  await using desk = await openDesk()
  desk.end.before = name => {
    if (name === 'job.finished') throw new TRPCError({ code: 'BAD_REQUEST' })
  }
  const order = backupOrder()
  desk.end.order(order)
  await until(() => (desk.agent.status().spool?.setAside.length ?? 0) === 2)
  // Told at once, not with the next beat.
  await until(() => desk.end.memory.heartbeats.some(({ spool }) => spool.setAside?.count === 2))
  expect(desk.end.memory.heartbeats.at(-1)?.spool.setAside).toMatchObject({ name: 'job.finished' })
  desk.end.dropSockets()
  await until(() => desk.end.memory.hellos.length === 2)
  expect(desk.end.memory.hellos.at(-1)?.knownJobs).toEqual([])
})

test('an answer to hello in another shape is refused with a sentence, and limits are kept within reason', async () => {
  await using desk = await openDesk({ configured: false })
  await until(() => desk.end.memory.hellos.length === 1)
  desk.end.limits = { logBlockBytes: 1 } as never
  desk.end.dropSockets()
  await until(() => desk.agent.status().link?.why?.includes('answered hello in a way'))
  desk.end.limits = { logBlockBytes: 1e12, logFlushMs: 1e12, logBytesPerSecond: 0, progressIntervalMs: 0 }
  desk.end.order(configOrder())
  const order = backupOrder()
  desk.end.order(order)
  await desk.ending(order.jobId)
})

test('orders without end are left alone once there are more than hello can name', () => {
  const state = openState(testFolder('rm-orders-'), createLog({ level: 'silent' }))
  const ordered: string[] = []
  const take = openOrderDesk({
    state,
    config: { current: () => ({ version: 1, repositories: [], maxConcurrentRuns: 1 }) } as never,
    runner: { order: ({ jobId }: { jobId: string }) => void ordered.push(jobId) } as never,
    log: createLog({ level: 'silent' }),
    onApplied: () => {},
    onRotateKey: () => {},
    closed: new AbortController().signal,
    timing,
    onStuck: () => {},
  })
  state.transaction(() => {
    for (let i = 0; i < 1_000; i += 1)
      state.run(
        `insert into jobs (id, kind, header, spec, config_version, state, accepted_at) values (?, 'backup', '{}', '{}', 1, 'accepted', 0)`,
        newId(),
      )
  })
  take(backupOrder())
  take({ ...backupOrder(), kind: 'rearrange' })
  expect([ordered.length, Number(state.one('select count(*) as n from jobs')?.n)]).toEqual([0, 1_000])
  state.close()
})

test('an order for which a full disk has no room is turned down with a sentence, or waits, and the link stays (row 23)', async () => {
  let room: 'none' | 'some' | 'all' = 'some'
  const clock = createTestClock('2026-06-10T12:00:00Z')
  const state = openState(testFolder('rm-orders-'), createLog({ level: 'silent' }), clock, {
    ...noReserve,
    spend(urgency, work) {
      if (room === 'none' || (room === 'some' && urgency === 'some'))
        throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
      return work()
    },
  })
  const config = configOrder() as never as ConfigUpdate
  const log = createLog({ level: 'silent' })
  const shop = {
    config: { current: () => config, repository: () => config.repositories[0] },
    limits: () => ({}),
    policy: { hooks: 'off', repositories: ['**'] },
    timing,
    log,
    state,
  }
  const runner = startRunner(shop as never)
  const stuck: string[] = []
  const closed = new AbortController().signal
  const desk = {
    state,
    config: shop.config as never,
    runner,
    log,
    timing,
    closed,
    onApplied() {},
    onRotateKey() {},
  }
  const take = openOrderDesk({ ...desk, onStuck: why => void stuck.push(why) })
  const results = () => state.all(`select payload from facts where name = 'command.result'`)
  take(backupOrder())
  expect(results().map(row => JSON.parse(String(row.payload)))).toMatchObject([
    { accepted: false, reason: 'disk_full', error: expect.stringContaining('Make room') },
  ])
  room = 'none'
  const later = backupOrder()
  take(later)
  expect(readJob(state, later.jobId)).toBeUndefined()
  room = 'all'
  await clock.advance(timing.diskRetry)
  expect(readJob(state, later.jobId)?.state).toBe('accepted')
  expect(stuck).toEqual([])
  await runner.stop()
  state.close()
})

test('an order that the disk does not take ends the link instead of the agent', () => {
  const state = openState(testFolder('rm-orders-'), createLog({ level: 'silent' }))
  const stuck: string[] = []
  const take = openOrderDesk({
    state,
    config: { current: () => ({ version: 1 }) } as never,
    runner: {} as never,
    log: createLog({ level: 'silent' }),
    onApplied: () => {},
    onRotateKey: () => {},
    closed: new AbortController().signal,
    timing,
    onStuck: why => void stuck.push(why),
  })
  state.run('pragma query_only = on')
  take({ ...backupOrder(), kind: 'rearrange' })
  expect(stuck).toHaveLength(1)
  state.close()
})

test('a server that sends its callers elsewhere gets no token there', async () => {
  const asked: string[] = []
  const http = createServer((request, response) => {
    asked.push(String(request.url))
    response.writeHead(307, { location: 'http://127.0.0.1:9/join/enrolment.redeem' }).end()
  }).listen(0, '127.0.0.1')
  await once(http, 'listening')
  const server = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const stateDir = testFolder('rm-redirect-')
  const wish = { server, token: `rmj_${'t'.repeat(43)}`, stateDir, allowPlainHttp: false }
  await expect(enrolHost(wish)).rejects.toThrow(/sends its callers on to http:\/\/127\.0\.0\.1:9;/)
  expect(asked).toHaveLength(1)
  http.close()
})

test('an answer that is not of a restic-manager server enrols nobody', async () => {
  const http = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"result":{"data":{"ok":true}}}')
  }).listen(0, '127.0.0.1')
  await once(http, 'listening')
  const server = `http://127.0.0.1:${(http.address() as AddressInfo).port}`
  const stateDir = testFolder('rm-other-')
  const wish = { server, token: `rmj_${'t'.repeat(43)}`, stateDir, allowPlainHttp: false }
  await expect(enrolHost(wish)).rejects.toThrow(/not as a restic-manager server/)
  http.close()
})

test('a spool that was put back from a copy tells what is new under a name of its own', async () => {
  await using desk = await openDesk()
  const first = backupOrder()
  desk.end.order(first)
  await desk.ending(first.jobId)
  await until(() => desk.agent.facts().every(fact => fact.acked))
  await desk.agent.stop()
  const state = openState(desk.agent.stateDir, createLog({ level: 'silent' }))
  for (const table of ['facts', 'jobs']) state.run(`delete from ${table}`)
  state.run('update lanes set last_seq = 0')
  state.close()
  const before = desk.end.memory.hellos.length
  await desk.agent.restart()
  await until(() => desk.end.memory.hellos.length >= before + 2)
  const [old, fresh] = desk.end.memory.hellos.slice(before)
  expect(fresh?.spoolEpoch).not.toBe(old?.spoolEpoch)
})

test('a bearer that no header can carry is a failed attempt and nothing more', async () => {
  using sockets = serveSockets(() => {})
  const link = openLink(
    { serverUrl: await sockets.url(), bearer: 'a\nb', timing },
    new AbortController().signal,
  )
  await expect(link).rejects.toThrow()
})

/** One text in pieces of a byte each, below the framing of ws, and never its end. */
function sendPieces(socket: WebSocket, pieces: number) {
  const tcp = (socket as unknown as { _socket: { write(bytes: Buffer): void } })._socket
  tcp.write(Buffer.from([1, 1, 0x20]))
  tcp.write(Buffer.concat(Array.from({ length: pieces }, () => Buffer.from([0, 1, 0x20]))))
}

function serveSockets(onSocket: (socket: WebSocket) => void) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  server.on('connection', onSocket)
  return {
    async url() {
      if (server.address() === null) await once(server, 'listening')
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    },
    [Symbol.dispose]() {
      for (const client of server.clients) client.terminate()
      server.close()
    },
  }
}
