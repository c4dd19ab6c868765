// Which job may run, and when: without an answer, with a clock that was set, and on a disk that is full.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '@restic-manager/runtime/log'
import { until } from '@restic-manager/testkit/until'
import { expect, test } from 'vitest'
import { readJob } from './job-book.ts'
import { untilWritten } from './job-run.ts'
import { startRunner } from './runner.ts'
import { openState, type State } from './state.ts'
import { openDesk } from './testing-desk.ts'
import { backupOrder, configOrder } from './testing-orders.ts'
import { timing } from '@restic-manager/contract/timing'

const log = createLog({ level: 'silent' })

/** A runner whose jobs end at once, since there is no restic. */
function bench(state: State) {
  const config = { ...configOrder(), order: undefined } as never as { repositories: never[] }
  return startRunner({
    state,
    config: { current: () => config, repository: () => config.repositories[0] } as never,
    spool: { keep: () => true, lastSeq: () => -1 } as never,
    telemetry: { settle: () => {} } as never,
    enrolment: {} as never,
    folders: { cache: '', temp: '', programs: undefined },
    policy: {} as never,
    restic: async () => null,
    limits: () => ({ logBlockBytes: 1, logFlushMs: 1, logBytesPerSecond: 1, progressIntervalMs: 1 }),
    timing: { ...timing, proceedAlone: 50, diskRetry: 20 },
    log,
  })
}
const fresh = () => openState(mkdtempSync(join(tmpdir(), 'rm-runner-')), log)

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
