// Which job may run, and when: without an answer, with a clock that was set, and on a disk that is full.
import { closeSync, openSync, readdirSync, readFileSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import type { ConfigUpdate } from '@restic-manager/contract/repository'
import { createLog } from '@restic-manager/runtime/log'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { readJob } from './job-book.ts'
import { untilWritten } from './job-run.ts'
import { startRunner } from './runner.ts'
import { recordNotRun } from './slot-book.ts'
import { openState, type State } from './state.ts'
import { openStore } from './store.ts'
import { openDesk } from './testing-desk.ts'
import { backupOrder, configOrder, hourlyBackup, ordersOfSlot, repositoryId } from './testing-orders.ts'
import { testFolder } from './testing-folder.ts'
import { timing } from '@restic-manager/contract/timing'

const log = createLog({ level: 'silent' })

/** A runner whose jobs end at once, since there is no restic. */
function bench(state: State, { maxConcurrentRuns = 1, restic = async () => null as null } = {}) {
  const config = { ...configOrder({ maxConcurrentRuns }), order: undefined } as never as ConfigUpdate
  const repository = (id: string) => config.repositories.find(each => each.repositoryId === id)
  return startRunner({
    state,
    config: { current: () => config, repository } as never,
    spool: { keep: () => true, lastSeq: () => -1 } as never,
    telemetry: { settle: () => {} } as never,
    enrolment: {} as never,
    folders: { cache: '', temp: '', programs: undefined },
    policy: { hooks: 'off', repositories: ['**'] } as never,
    restic,
    limits: () => ({ logBlockBytes: 1, logFlushMs: 1, logBytesPerSecond: 1, progressIntervalMs: 1 }),
    timing: { ...timing, proceedAlone: 300, diskRetry: 20 },
    log,
  })
}
const fresh = () => openState(testFolder('rm-runner-'), log)

test('a job starts without an answer although the clock was set back since it was accepted', async () => {
  const state = fresh()
  const runner = bench(state)
  const order = backupOrder()
  runner.order(order as never)
  state.run('update jobs set accepted_at = ?', Date.now() + 3_600_000)
  await until(() => readJob(state, order.jobId)?.state === 'ended')
  await runner.stop()
  state.close()
})

test('an unlock never starts without the answer of the server', async () => {
  const state = fresh()
  const runner = bench(state)
  const unlock = { ...backupOrder(), kind: 'unlock', spec: {} }
  const backup = backupOrder()
  runner.order(unlock as never)
  runner.order(backup as never)
  await until(() => readJob(state, backup.jobId)?.state === 'ended')
  state.run('update jobs set accepted_at = 0')
  runner.consider()
  expect(readJob(state, unlock.jobId)?.state).toBe('accepted')
  state.run('update jobs set proceed = 1')
  runner.consider()
  await until(() => readJob(state, unlock.jobId)?.state === 'ended')
  await runner.stop()
  state.close()
})

test('a job waits while nothing can be written, and starts when that is over', async () => {
  const state = fresh()
  const runner = bench(state)
  const order = backupOrder()
  runner.order(order as never)
  state.run('update jobs set proceed = 1')
  state.run('pragma query_only = on')
  runner.consider()
  expect(readJob(state, order.jobId)?.state).toBe('accepted')
  state.run('pragma query_only = off')
  await until(() => readJob(state, order.jobId)?.state === 'ended')
  await runner.stop()
  state.close()
})

test('what must not be lost is written down as soon as the disk takes it', async () => {
  let full = 3
  const write = () => {
    if (full-- > 0) throw new Error('the disk is full')
  }
  await untilWritten({ timing: { ...timing, diskRetry: 1 }, log }, new AbortController().signal, write)
  expect(full).toBe(-1)
  await untilWritten({ timing, log }, AbortSignal.abort(), () => {
    throw new Error('the disk is full')
  })
})

test('a second Ctrl-C does not keep the agent from stopping restic in order', async () => {
  const steps = [{ wait: 'go' }, { summary: {} }]
  const interrupted = [{ wait: 'cleared' }, { exit: 1 }]
  await using desk = await openDesk({ process: true, script: { runs: { backup: { steps, interrupted } } } })
  const order = backupOrder()
  desk.end.order(order)
  await desk.restic.reached('go')
  const pid = desk.agent.pid() as number
  process.kill(pid, 'SIGINT')
  await desk.restic.reached('cleared')
  process.kill(pid, 'SIGINT')
  process.kill(pid, 'SIGTERM')
  await until(() => desk.agent.output().includes('still stopping'))
  desk.restic.open('cleared')
  expect(await desk.ending(order.jobId)).toMatchObject({ status: 'failed', reason: 'agent_stopping' })
})

const canary = 'canary-of-the-admin'
const lent = { url: '/srv/repository', password: canary, credential: `${canary}-credential` }
const forgetSpec = {
  retention: { last: 1 },
  dryRun: false,
  targets: [{ hostId: newId(), scheduleId: newId() }],
}
const elevatedKinds = [
  { kind: 'prune', spec: {} },
  { kind: 'check', spec: {} },
  { kind: 'forget', spec: forgetSpec },
]
test.for(elevatedKinds)(
  'a $kind with access that was lent waits for the server, keeps it in memory, and forgets it with the agent',
  async ({ kind, spec }) => {
    const folder = testFolder('rm-runner-')
    const state = openState(folder, log)
    const order = { ...backupOrder(), repositoryId: newId(), kind, spec, elevatedAccess: lent }
    const runner = bench(state)
    runner.order(order as never) // of a repository that is not in the configuration of this host
    runner.order(order as never)
    state.run('update jobs set accepted_at = 0')
    runner.consider()
    expect(readJob(state, order.jobId)).toMatchObject({ state: 'accepted', isElevated: true })
    await runner.stop()
    state.close()
    for (const name of readdirSync(folder))
      expect(readFileSync(join(folder, name)).includes(canary)).toBe(false)

    const again = openState(folder, log)
    const next = bench(again)
    expect(again.one('select state, status from jobs')).toEqual({ state: 'ended', status: 'failed' })
    expect(again.one(`select payload from facts where name = 'job.finished'`)?.payload).toContain(
      'access_forgotten',
    )
    await next.stop()
    again.close()
  },
)

test('access that was lent is still there when the disk took the first step of its job only later', async () => {
  const state = fresh()
  const runner = bench(state)
  const order = { ...backupOrder(), repositoryId: newId(), kind: 'prune', spec: {}, elevatedAccess: lent }
  runner.order(order as never)
  state.run('update jobs set proceed = 1')
  state.run('pragma query_only = on')
  runner.consider()
  state.run('pragma query_only = off')
  await until(() => readJob(state, order.jobId)?.state === 'ended')
  // With it the job came as far as to find no restic.
  expect(state.one(`select payload from facts where name = 'job.finished'`)?.payload).toContain(
    '"restic_missing"',
  )
  await runner.stop()
  state.close()
})

test('jobs of one schedule run one at a time in the order they came, however many may run at once', async () => {
  const state = fresh()
  const held = Promise.withResolvers<null>()
  const runner = bench(state, { maxConcurrentRuns: 4, restic: () => held.promise })
  const [scheduleId, other] = [newId(), newId()]
  const orders = [scheduleId, scheduleId, other].map(id => Object.assign(backupOrder(), { scheduleId: id }))
  for (const order of orders) runner.order(order as never)
  state.run('update jobs set proceed = 1')
  runner.consider()
  expect(orders.map(({ jobId }) => readJob(state, jobId)?.state)).toEqual([
    'starting',
    'accepted',
    'starting',
  ])
  held.resolve(null)
  await until(() => orders.every(({ jobId }) => readJob(state, jobId)?.state === 'ended'))
  await runner.stop()
  state.close()
})

test('a job whose end is the first to meet a damaged database ends all the same, once (row 24)', async () => {
  const folder = testFolder('rm-runner-')
  const state = openState(folder, log)
  const held = Promise.withResolvers<null>()
  const runner = bench(state, { restic: () => held.promise })
  const order = backupOrder()
  runner.order(order as never)
  state.run('update jobs set proceed = 1')
  runner.consider()
  expect(readJob(state, order.jobId)?.state).toBe('starting')
  const path = join(folder, 'state.db')
  const other = openStore(path, 'FULL')
  other.run('pragma user_version = 2') // what is remembered of pages is worth nothing after that
  other.one('pragma wal_checkpoint(truncate)')
  other.close()
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.alloc(statSync(path).size, 0xa5))
  closeSync(file)
  held.resolve(null)
  await new Promise(resolve => setImmediate(resolve)) // the end of the job comes upon it, and not this test
  await until(() => readJob(state, order.jobId)?.state === 'ended')
  expect(state.all(`select name from facts where job_id = ?`, order.jobId)).toEqual([
    { name: 'job.finished' },
  ])
  await runner.stop()
  state.close()
})

test('an order for a slot that was told as missed is turned down for that reason', async () => {
  const state = fresh()
  const runner = bench(state)
  const schedule = hourlyBackup()
  const slot = Date.parse('2026-06-10T12:00:00Z')
  const about = { scheduleId: schedule.id, version: 1, repositoryIds: [repositoryId] }
  const range = { slot, oldest: slot - 7_200_000, count: 3 }
  recordNotRun(state, { ...about, ...range, outcome: 'missed', reason: 'host_was_off' })
  const plan = { version: 1, configVersion: 1, schedules: [schedule] }
  for (const scheduledAt of ['2026-06-10T11:00:00.000Z', '2026-06-10T13:00:00.000Z']) {
    const [order] = ordersOfSlot(plan, { scheduleId: schedule.id, scheduledAt } as never, newId())
    runner.order(order as never)
  }
  const results = state.all(`select payload from facts where name = 'command.result' order by seq`)
  expect(results.map(row => JSON.parse(String(row.payload)))).toMatchObject([
    { accepted: false, reason: 'host_was_off' },
    { accepted: true },
  ])
  await runner.stop()
  state.close()
})
