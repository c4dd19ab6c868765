// Promises of the typed client, kept against a real server with keys of limited scopes; and its examples, run as programs.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { startSimulatedAgent } from '@restic-manager/bench/simulator/agent'
import { newId } from '@restic-manager/contract/ids'
import { startServer, type TestServer } from '@restic-manager/server/testing'
import { until } from '@restic-manager/testkit/until'
import { nodeEnvironment } from '@restic-manager/testkit/node-environment'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Api, createClient, type Outputs } from './client.ts'
import { failureOf } from './failure.ts'

const timing = { backoffBase: 20, backoffCap: 200, heartbeat: 500, poll: 500 }

async function openFleet() {
  await using undo = new AsyncDisposableStack()
  const server = undo.use(await startServer({ timing }))
  const behaviour = { workMs: { least: 1, most: 30 }, logLines: 5 }
  const wish = { url: server.url, hostname: 'web-1', timing, random: Math.random, behaviour }
  const agent = undo.use(await startSimulatedAgent({ ...wish, token: await server.createEnrolment() }))
  const { hostId } = agent
  const { repositoryId } = await server.api.repositories.create.mutate({
    ...{ requestId: newId(), name: 'store', url: '/srv/store', password: 'a-password', hostIds: [hostId] },
  })
  const { scheduleId } = await server.api.schedules.create.mutate({
    ...{ requestId: newId(), hostId },
    schedule: {
      ...{ name: 'files', kind: 'backup', repositoryIds: [repositoryId], paths: ['/srv'], timeZone: 'UTC' },
      ...{ enabled: true, manual: true, catchUp: 'none', overlap: 'skip', jitterSeconds: 0 },
    },
  })
  const keyFor = async (...scopes: string[]) =>
    (await server.api.keys.create.mutate({ name: 'test', scopes, days: 1 })).key
  const owned = undo.move()
  return { server, agent, hostId, scheduleId, keyFor, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

let fleet: Awaited<ReturnType<typeof openFleet>>
beforeAll(async () => {
  fleet = await openFleet()
})
afterAll(() => fleet[Symbol.asyncDispose]())

const failure = (call: Promise<unknown>) => call.then(() => undefined, failureOf)
const runNow = (server: TestServer) =>
  server.api.schedules.runNow.mutate({ requestId: newId(), scheduleId: fleet.scheduleId })

describe('calls', () => {
  test('a key does what it was made for, and is told in a sentence what it may not do', async () => {
    const { server, hostId, keyFor } = fleet
    await using client = createClient({ url: `${server.url}/`, apiKey: await keyFor('hosts:read') })
    const { rows } = await client.api.hosts.list.query({})
    expect(rows.map(({ id }) => id)).toEqual([hostId])
    expect(await failure(client.api.jobs.list.query({}))).toEqual({
      code: 'not_allowed',
      sentence: 'This API key may not do this. It would need the scope jobs:read.',
      ...{ complaints: [], httpStatus: 403, mayRepeat: false, retryAfterSeconds: undefined },
    })
  })

  test('a hundred calls at once are sent in requests that the server takes', async () => {
    const { server, hostId, keyFor } = fleet
    let requests = 0
    const counting: typeof fetch = (...request) => {
      requests += 1
      return fetch(...request)
    }
    const key = await keyFor('hosts:read')
    await using client = createClient({ url: server.url, apiKey: key, fetch: counting })
    const asked = Array.from({ length: 100 }, () => client.api.hosts.get.query({ hostId }))
    expect((await Promise.all(asked)).every(({ name }) => name === 'web-1')).toBe(true)
    expect(requests).toBeLessThan(10)
  })

  test('what is wrong with an input is told field by field', async () => {
    const { server, hostId } = fleet
    await using client = createClient({ url: server.url, apiKey: server.apiKey })
    const refused = await failure(
      client.api.schedules.create.mutate({
        ...{ requestId: newId(), hostId },
        schedule: {
          ...{ name: 'x', kind: 'backup', repositoryIds: [], timeZone: 'UTC', cron: '61 * * * *' },
          ...{ enabled: true, manual: false, catchUp: 'none', overlap: 'skip', jitterSeconds: 0 },
        },
      }),
    )
    expect(refused).toMatchObject({ code: 'schedule_invalid', mayRepeat: false })
    expect(refused?.complaints.map(({ field }) => field)).toContain('cron')
  })

  test('no answer, a late answer and an answer of something else are told apart', async () => {
    const never: typeof fetch = (_, request) =>
      new Promise((_resolve, reject) => {
        request?.signal?.addEventListener('abort', () => reject(request.signal?.reason as Error))
      })
    const proxy: typeof fetch = async () => new Response('<h1>Bad gateway</h1>', { status: 502 })
    const busy: typeof fetch = async () =>
      Response.json({ code: 'too_many' }, { status: 429, headers: { 'retry-after': '7' } })
    const askWith = async (options: { fetch?: typeof fetch; timeoutMs?: number }) => {
      await using client = createClient({ url: 'http://127.0.0.1:9', ...options })
      return failure(client.api.me.get.query())
    }
    expect(await askWith({})).toMatchObject({ code: 'no_answer', mayRepeat: true, httpStatus: undefined })
    expect(await askWith({ fetch: never, timeoutMs: 1 })).toMatchObject({ code: 'timeout', mayRepeat: true })
    expect(await askWith({ fetch: proxy })).toMatchObject({
      ...{ code: 'no_answer', httpStatus: 502, sentence: expect.stringContaining('HTTP 502') },
    })
    expect(await askWith({ fetch: busy })).toMatchObject({ code: 'too_many', retryAfterSeconds: 7 })
    await using client = createClient({ url: 'http://127.0.0.1:9', fetch: never })
    const cancelled = new AbortController()
    const asked = failure(client.api.me.get.query(undefined, { signal: cancelled.signal }))
    cancelled.abort()
    expect(await asked).toMatchObject({ code: 'cancelled', mayRepeat: false })
  })
})

describe('subscriptions', () => {
  test('every line of a log comes once although the socket is cut again and again', async () => {
    const { server, agent, keyFor } = fleet
    agent.behave({ workMs: { least: 100, most: 100 }, logLines: 5_000 })
    await using client = createClient({ url: server.url, apiKey: await keyFor('jobs:read') })
    // A simulated agent keeps no log over a cut of its own socket: nothing has cut it before this test.
    const job = await until(
      async () => {
        const jobId = (await runNow(server)).jobIds[0] ?? ''
        return until(
          () => client.api.jobs.get.query({ jobId }),
          ({ lastLogSeq, receivedLogSeq }) => lastLogSeq !== null && lastLogSeq === receivedLogSeq,
          { timeoutMs: 10_000 },
        ).catch(() => undefined)
      },
      found => found !== undefined,
    )
    const { id: jobId = '', lastLogSeq } = job ?? { lastLogSeq: null }
    const lines: number[] = []
    for await (const { data } of client.api.jobs.tail.subscribe({ jobId })) {
      server.dropSockets()
      lines.push(...data.entries.map(({ seq }) => seq))
      if (data.nextSeq > (lastLogSeq ?? 0)) break
    }
    expect(lines).toEqual([...new Set(lines)].toSorted((a, b) => a - b))
    expect(lines.at(-1) ?? -1).toBe(lastLogSeq)
  })

  test('a job is followed to its end although the socket is cut under way', async () => {
    const { server, agent, keyFor } = fleet
    agent.cutOff()
    const jobId = (await runNow(server)).jobIds[0] ?? ''
    await using client = createClient({ url: server.url, apiKey: await keyFor('jobs:read') })
    const seen: string[] = []
    for await (const { status } of client.api.jobs.follow.subscribe({ jobId })) {
      if (seen.length === 0) {
        server.dropSockets()
        agent.reconnect()
      }
      seen.push(status)
      if (status === 'succeeded') break
    }
    expect(seen[0]).toBe('queued')
  })

  test('what the server refuses ends a subscription, and so does a key that is revoked', async () => {
    const { server, keyFor } = fleet
    const follow = async (api: Api) => {
      for await (const _ of api.jobs.follow.subscribe({ jobId: newId() })) expect.unreachable()
    }
    await using client = createClient({ url: server.url, apiKey: await keyFor('jobs:read', 'live:read') })
    expect(await failure(follow(client.api))).toMatchObject({ code: 'job_not_found', mayRepeat: false })
    const listen = async () => {
      for await (const _ of client.api.live.database.subscribe()) {
        const keys: Outputs['keys']['list'] = await server.api.keys.list.query()
        const [newest] = keys
        await server.api.keys.revoke.mutate({ keyId: newest?.id ?? '' })
      }
    }
    expect(await failure(listen())).toMatchObject({ code: 'not_signed_in' })
  })

  test('closing the client ends its subscriptions and leaves nobody listening', async () => {
    await using server = await startServer()
    const before = server.listeners()
    const client = createClient({ url: server.url, apiKey: server.apiKey })
    const changes = client.api.live.changes.subscribe()
    const ended = (async () => {
      for await (const _ of changes);
    })()
    await until(() => server.listeners() > before)
    await client.close()
    await client.close()
    await ended
    await until(() => server.listeners() === before)
  })
})

describe('examples', () => {
  /** Runs one as a shell would. */
  const example = (name: string, apiKey: string, ...argv: string[]) =>
    new Promise<{ code: number; said: string }>(resolve => {
      const file = join(import.meta.dirname, '../examples', `${name}.ts`)
      const env = { ...nodeEnvironment, RM_URL: fleet.server.url, RM_API_KEY: apiKey }
      execFile(process.execPath, [file, ...argv], { env }, (error, stdout, stderr) =>
        resolve({ code: Number(error?.code ?? 0), said: stdout + stderr }),
      )
    })

  test('a host is listed as unprotected until its schedule was run, and a job is followed to its end', async () => {
    const { server, keyFor, scheduleId } = fleet
    const key = await keyFor('hosts:read', 'schedules:write', 'jobs:read')
    const other = await startSimulatedAgent({
      ...{ url: server.url, hostname: 'db-1', timing, random: Math.random },
      token: await server.createEnrolment(),
    })
    await other.stop()
    const run = await example('run-schedule', key, scheduleId)
    expect(run).toMatchObject({ code: 0, said: expect.stringMatching(/ succeeded\n$/) })
    const list = await example('unprotected-hosts', key)
    expect(list).toMatchObject({ code: 1, said: expect.stringMatching(/^db-1\toffline\tnever\n$/) })
    const db = (await server.api.hosts.list.query({ search: 'db-1' })).rows[0]
    await server.api.hosts.remove.mutate({ hostId: db?.id ?? '', confirmName: 'db-1' })
    expect(await example('unprotected-hosts', key)).toEqual({ code: 0, said: '' })
    const jobId = /^\S+/.exec(run.said)?.[0] ?? ''
    expect(await example('follow-job', key, jobId)).toEqual({ code: 0, said: `${jobId} succeeded\n` })
  })

  test('what is refused is said in one sentence', async () => {
    const said = 'not_allowed: This API key may not do this. It would need the scope hosts:read.\n'
    expect(await example('unprotected-hosts', await fleet.keyFor('jobs:read'))).toEqual({ code: 2, said })
  })
})
