// What Prometheus gets, and who gets nothing.
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { is, until } from '@restic-manager/testkit/until'
import { measureNotifications } from '../chores/notification-lag.ts'
import { readConfig } from '../config.ts'
import { startBus } from '../db/bus.ts'
import { openDatabase } from '../db/open.ts'
import { finishJob } from '../fleet/job-reports.ts'
import { startServer, type TestServer } from '../testing.ts'
import { makeHost, quiet, sealOf } from '../testing-fleet.ts'

const token = 'a-token-that-is-long-enough'
const read = (server: TestServer, headers: Record<string, string> = {}) =>
  fetch(`${server.url}/metrics`, { headers })
const bearer = { authorization: `Bearer ${token}` }

/** The value of one series; undefined when there is none. */
function valueOf(text: string, series: string): number | undefined {
  const line = text.split('\n').find(each => each.startsWith(`${series} `))
  return line === undefined ? undefined : Number(line.slice(series.length + 1))
}

describe('the door', () => {
  test('is shut until somebody is named', async () => {
    await using server = await startServer()
    expect((await read(server, bearer)).status).toBe(404)
  })

  test('opens for the token and nothing else', async () => {
    await using server = await startServer({ env: { RM_METRICS_TOKEN: token } })
    expect((await read(server)).status).toBe(401)
    expect((await read(server, { authorization: `Bearer ${token}x` })).status).toBe(401)
    expect((await read(server, bearer)).status).toBe(200)
    const counts = await (await read(server, bearer)).text()
    expect(valueOf(counts, 'restic_manager_turned_away_total{reason="not_allowed"}')).toBe(2)
  })

  test('opens for an address, as it really is', async () => {
    await using near = await startServer({ env: { RM_METRICS_ADDRESSES: '127.0.0.0/8' } })
    expect((await read(near)).status).toBe(200)
    await using far = await startServer({ env: { RM_METRICS_ADDRESSES: '10.0.0.0/8' } })
    expect((await read(far, { 'x-forwarded-for': '10.0.0.1' })).status).toBe(401)
  })

  test('with both set, both have to fit', async () => {
    const env = { RM_METRICS_TOKEN: token, RM_METRICS_ADDRESSES: '10.0.0.0/8' }
    await using server = await startServer({ env })
    expect((await read(server, bearer)).status).toBe(401)
  })

  test('a token anybody could guess stops the start', () => {
    expect(() => readConfig({ RM_METRICS_TOKEN: 'short' })).toThrow('RM_METRICS_TOKEN is (not shown')
  })
})

describe('the figures', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await startServer({ env: { RM_METRICS_TOKEN: token } })
  })
  afterAll(() => server[Symbol.asyncDispose]())
  const figures = async () => (await read(server, bearer)).text()

  test('tell of hosts, open jobs, ends and the process, in few series, with no name of a host', async () => {
    const host = await makeHost(server.db, sealOf(server))
    const { jobId } = await host.backUp()
    const before = await figures()
    expect(valueOf(before, 'restic_manager_fleet_counted')).toBe(1)
    expect(valueOf(before, 'restic_manager_hosts{state="online"}')).toBe(1)
    expect(valueOf(before, 'restic_manager_open_jobs{kind="backup",status="queued"}')).toBe(1)
    expect(valueOf(before, 'restic_manager_database_waiting')).toBe(0)
    expect(valueOf(before, 'nodejs_eventloop_lag_p99_seconds')).toBeDefined()
    expect(before).not.toContain(host.hostId)

    const ended = 'restic_manager_jobs_ended_total{kind="backup",status="succeeded"}'
    const soFar = valueOf(before, ended) ?? 0
    const finished = {
      ...{ ...host.fact(), jobId, kind: 'backup' as const, repositoryId: host.repositoryId },
      ...{ status: 'succeeded' as const, finishedAt: new Date().toISOString(), warnings: [], lastLogSeq: -1 },
    }
    // Told twice, counted once.
    await finishJob(server.db, host.sender, finished)
    await finishJob(server.db, host.sender, finished)
    const after = await figures()
    expect(valueOf(after, ended)).toBe(soFar + 1)
    const series = after.split('\n').filter(line => line !== '' && !line.startsWith('#'))
    expect(series.length).toBeLessThan(2_000)
  })

  test('every figure of the dashboard in docs is among them', async () => {
    const dashboard = readFileSync(
      new URL('../../../../docs/grafana-dashboard.json', import.meta.url),
      'utf8',
    )
    const named = new Set(dashboard.match(/\b(restic_manager|nodejs|process)_[a-z0-9_]+/g))
    const text = await figures()
    const told = new Set(text.match(/^# TYPE \S+/gm)?.map(line => line.slice('# TYPE '.length)))
    const isTold = (name: string) => told.has(name) || told.has(name.replace(/_bucket$/, ''))
    expect(named.size).toBeGreaterThan(15)
    expect([...named].filter(name => !isTold(name))).toEqual([])
  })

  test('a notification is timed on its way through the database', async () => {
    const { db, sql, close } = openDatabase(server.databaseUrl, { max: 2 })
    const bus = await startBus(sql)
    const stop = measureNotifications({ db, bus, log: quiet }, 20)
    const count = async () => valueOf(await figures(), 'restic_manager_notification_seconds_count') ?? 0
    const atFirst = await count()
    await until(async () => (await count()) > atFirst, is(true))
    await stop()
    await bus.close()
    await close()
  })
})
