// Records nobody takes: facts stay, acked ones go in time, and a host without room for more begins nothing by itself.
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import { toInstant } from '@restic-manager/contract/scalars'
import { createLog } from '@restic-manager/runtime/log'
import { until } from '@restic-manager/testkit/until'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ackFact, factDepth, pruneFacts, reconcileFacts, recordFact, setFactAside } from './facts.ts'
import { acceptJob } from './job-intake.ts'
import { fitWarnings } from './job-run.ts'
import { reportSnapshots } from './reports.ts'
import { spoolReport } from './spool-report.ts'
import { spoolRoom } from './spool-room.ts'
import { openState, type State } from './state.ts'
import { giveBackPages } from './store.ts'
import { createTestClock } from './testing-clock.ts'
import { openDesk } from './testing-desk.ts'
import { backupOrder, hourlyBackup } from './testing-orders.ts'
import { planBench } from './testing-plan.ts'

const log = createLog({ level: 'silent' })
const dayMs = 24 * 3_600_000
const clock = createTestClock('2026-06-10T12:00:00Z')
let folder: string
let state: State
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rm-room-'))
  state = openState(folder, log, clock)
})
afterEach(() => {
  state.close()
  rmSync(folder, { recursive: true, force: true })
})

const countFacts = () => state.all('select 1 from facts').length

test('where room gets short what the server has goes first, and what it does not have stays whatever happens', () => {
  for (let count = 0; count < 300; count += 1) acceptJob(state, backupOrder())
  for (let seq = 1; seq <= 100; seq += 1) ackFact(state, { lane: 'first', seq })
  const used = state.usedBytes()
  expect(used).toBeGreaterThan(100_000)
  expect(spoolRoom(state, { shortBytes: used + 1, mostBytes: used + 2 })).toBe('plenty')
  expect(countFacts()).toBe(300)
  expect(spoolRoom(state, { shortBytes: 1, mostBytes: used + 1 })).toBe('short')
  expect(countFacts()).toBe(200)
  expect(spoolRoom(state, { shortBytes: 1, mostBytes: 2 })).toBe('none')
  expect(factDepth(state).waiting).toBe(200)
})

test('what a long outage took of the disk is given back step by step once the server has it', () => {
  const size = () => statSync(join(folder, 'state.db')).size
  const header = { kind: 'backup' as const, repositoryId: newId() }
  const end = { status: 'failed' as const, finishedAt: toInstant(clock.now()), lastLogSeq: -1 }
  const warnings = Array.from({ length: 400 }, () => ({ code: 'unread', message: 'x'.repeat(1_000) }))
  state.transaction(() => {
    for (let count = 0; count < 100; count += 1)
      recordFact(state, 'job.finished', { ...header, jobId: newId(), ...end, warnings })
  })
  expect(giveBackPages(state)).toBe(false)
  reconcileFacts(state, { first: 0, rest: 100 })
  pruneFacts(state, 0)
  const before = size()
  expect(before).toBeGreaterThan(35_000_000)
  let steps = 1
  while (giveBackPages(state)) steps += 1
  state.run('pragma wal_checkpoint(truncate)')
  expect(size()).toBeLessThan(18_000_000)
  expect(steps).toBeGreaterThan(1)
})

test('an end that is told in short names its first warnings and counts the others', () => {
  const warnings = Array.from({ length: 40 }, (_, at) => ({ code: 'sources_unread', message: `file ${at}` }))
  const short = fitWarnings(warnings, 10)
  expect(short).toHaveLength(11)
  expect(short.at(-1)).toEqual({ code: 'more_warnings', message: '30 more warnings' })
})

test('a host without room for records begins nothing by itself, and catches up once they were taken', async () => {
  using bench = planBench('2026-06-10T11:30:00Z')
  const schedule = hourlyBackup()
  bench.plan(schedule)
  await bench.clock.advanceTo('2026-06-10T12:01:00Z')
  expect(bench.job(schedule, '2026-06-10T12:00:00Z')).toBe('accepted')
  bench.endJob(schedule, '2026-06-10T12:00:00Z')
  bench.hasRoom = false
  const before = bench.fires().length
  await bench.clock.advanceTo('2026-06-10T17:30:00Z')
  expect([bench.fires().length, bench.notRuns()]).toEqual([before, []])
  await bench.restart()
  bench.hasRoom = true
  await bench.clock.advanceTo('2026-06-10T17:31:00Z')
  expect(bench.notRuns()).toMatchObject([
    {
      count: 4,
      outcome: 'missed',
      reason: 'spool_full',
      from: '2026-06-10T13:00:00.000Z',
      to: '2026-06-10T16:00:00.000Z',
    },
  ])
  expect(bench.job(schedule, '2026-06-10T17:00:00Z')).toBe('accepted')
})

test('lists of snapshots the server has do not keep a host from working, and those it does not have stay', () => {
  for (const repositoryId of [newId(), newId()]) reportSnapshots(state, repositoryId, 'own', [])
  ackFact(state, { lane: 'rest', seq: 1 })
  expect(spoolRoom(state, { shortBytes: 1, mostBytes: state.usedBytes() + 1 })).toBe('short')
  expect(countFacts()).toBe(2)
  expect(spoolRoom(state, { shortBytes: 1, mostBytes: 2 })).toBe('none')
  expect(state.all('select seq from facts')).toEqual([{ seq: 2 }])
})

test('committed facts go two weeks after their ack, refused ones are shown for three months, others never go', async () => {
  for (let count = 0; count < 3; count += 1) acceptJob(state, backupOrder())
  ackFact(state, { lane: 'first', seq: 1 })
  setFactAside(state, { lane: 'first', seq: 2 }, 'The server does not know this word.')
  const at = toInstant(clock.now())
  expect(spoolReport(state, { bytes: () => 7 })).toEqual({
    facts: 1,
    logBytes: 7,
    setAside: { count: 1, name: 'command.result', at, why: 'The server does not know this word.' },
  })
  await clock.sleep(14 * dayMs - 1)
  expect(pruneFacts(state, 14 * dayMs)).toBe(0)
  await clock.sleep(1)
  expect(pruneFacts(state, 14 * dayMs)).toBe(1)
  await clock.sleep(80 * dayMs)
  expect(pruneFacts(state, 14 * dayMs)).toBe(1)
  expect(spoolReport(state, { bytes: () => 0 })).toEqual({ facts: 1, logBytes: 0 })
})

test('an agent that never restarts forgets by itself what the server has had for two weeks', async () => {
  const agentClock = createTestClock(Date.now())
  await using desk = await openDesk({ clock: agentClock })
  const order = backupOrder()
  desk.end.order(order)
  await desk.ending(order.jobId)
  await until(() => desk.agent.facts().some(fact => fact.name === 'snapshots.report' && fact.acked))
  await agentClock.advance(13 * dayMs)
  expect(desk.agent.facts().some(fact => fact.name === 'job.finished')).toBe(true)
  await agentClock.advance(2 * dayMs)
  expect(desk.agent.facts().map(fact => fact.name)).toEqual(['snapshots.report'])
})
