// The agent's memory: what survives damage, a second agent, and any order of drops and acks.
import { readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import { createLog } from '@restic-manager/runtime/log'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ackFact, isTold, nextFact, pruneFacts, reconcileFacts, recordFact, type Fact } from './facts.ts'
import { endJob, knownJobs, markRunning, markStarting, openJobs, openRunsOf, readJob } from './job-book.ts'
import { acceptJob } from './job-intake.ts'
import { sendFacts } from './outbox.ts'
import { appliedSet } from './plan-book.ts'
import { reportSnapshots } from './reports.ts'
import { armSlot, askServer } from './slot-book.ts'
import { lockState } from './state-lock.ts'
import { schemaSteps } from './state-schema.ts'
import { openState, type State } from './state.ts'
import { openStore } from './store.ts'
import { backupOrder, repositoryId } from './testing-orders.ts'
import { testFolder } from './testing-folder.ts'

const log = createLog({ level: 'silent' })
const folder = () => testFolder('rm-state-')
const succeeded = { status: 'succeeded' as const, warnings: [], lastLogSeq: -1 }

function acceptedJob(state: State) {
  const order = backupOrder()
  acceptJob(state, order as never)
  return readJob(state, order.jobId) as NonNullable<ReturnType<typeof readJob>>
}

test('a damaged spool is moved aside, a new one has another epoch, and the next start finds that one sound (row 24)', () => {
  const dir = folder()
  const first = openState(dir, log)
  acceptedJob(first)
  first.close()
  writeFileSync(join(dir, 'state.db'), 'this was a database once')
  const second = openState(dir, log)
  expect(second.epoch).not.toBe(first.epoch)
  expect(openJobs(second)).toEqual([])
  second.close()
  expect(readdirSync(dir).filter(name => name.includes('.damaged-'))).toHaveLength(1)
  const third = openState(dir, log)
  expect(third.epoch).toBe(second.epoch)
  third.close()
  expect(readdirSync(dir).filter(name => name.includes('.damaged-'))).toHaveLength(1)
})

test('only the owner can read what is kept', () => {
  const dir = folder()
  openState(dir, log).close()
  expect(statSync(join(dir, 'state.db')).mode & 0o777).toBe(0o600)
})

test('a second agent in one state directory is refused with a sentence that names the first (row 25)', () => {
  const dir = folder()
  const lock = lockState(dir)
  expect(() => lockState(dir)).toThrow(`Another agent (process ${process.pid}) already works in ${dir}`)
  lock.release()
  lockState(dir).release()
})

test('a job takes each step once, and ends once', () => {
  const state = openState(folder(), log)
  const job = acceptedJob(state)
  expect(acceptJob(state, { ...backupOrder(job.id) } as never)).toBe(false)
  expect(markStarting(state, job.id)).toBe(true)
  expect(markStarting(state, job.id)).toBe(false)
  const start = { command: 'restic backup', resticVersion: '0.18.0', pid: 1, pidStarted: '1' }
  markRunning(state, job, start)
  markRunning(state, job, start)
  expect(endJob(state, job, succeeded)).toBe(true)
  expect(endJob(state, job, { ...succeeded, status: 'failed' })).toBe(false)
  expect(markStarting(state, job.id)).toBe(false)
  const facts = state.all('select name from facts order by lane, seq').map(row => row.name)
  expect(facts).toEqual(['command.result', 'job.started', 'job.finished'])
  expect(knownJobs(state)).toEqual([{ jobId: job.id, status: 'succeeded' }])
  state.close()
})

test('an older server is told again what it forgot, and an answer is asked for until it came', () => {
  const state = openState(folder(), log)
  const job = acceptedJob(state)
  endJob(state, job, succeeded)
  // The server has committed both, but the answer to the acceptance never arrived here.
  reconcileFacts(state, { first: 1, rest: 1 })
  expect(nextFact(state)?.name).toBe('command.result')
  expect(isTold(state, 'job.finished', job.id)).toBe(true)
  ackFact(state, { lane: 'first', seq: 1 })
  expect(nextFact(state)).toBeUndefined()
  reconcileFacts(state, { first: 0, rest: 0 })
  expect(nextFact(state)?.name).toBe('command.result')
  state.close()
})

test('a newer list of snapshots replaces what is left of an older one, and outlives the pruning', () => {
  const state = openState(folder(), log)
  const snapshot = {
    id: 'a'.repeat(64),
    shortId: 'a'.repeat(8),
    time: '2026-11-23T07:12:56.534Z',
    hostname: 'h',
    paths: ['/etc'],
    tags: [],
    sizeBytes: 1,
    fileCount: 1,
  }
  reportSnapshots(
    state,
    repositoryId,
    'own',
    Array.from({ length: 1_500 }, () => snapshot),
  )
  expect(state.all('select 1 from facts').length).toBeGreaterThan(1)
  expect(state.all('select payload from facts').every(row => String(row.payload).length <= 256 * 1024)).toBe(
    true,
  )
  reportSnapshots(state, repositoryId, 'own', [snapshot])
  expect(state.all('select 1 from facts')).toHaveLength(1)
  reconcileFacts(state, { first: 0, rest: 100 })
  pruneFacts(state, -1)
  expect(state.all('select 1 from facts')).toHaveLength(1)
  state.close()
})

test('whatever is dropped, every fact is committed, those of a lane in order, and nothing waits in the end', async () => {
  const calamity = fc.constantFrom('fine', 'lostCall', 'lostAnswer', 'busy', 'dropped')
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('first', 'rest'), { minLength: 1, maxLength: 12 }),
      fc.array(calamity, { maxLength: 12 }),
      async (lanes, calamities) => {
        const state = openState(folder(), log)
        for (const lane of lanes) {
          const header = { jobId: newId(), kind: 'backup' as const, repositoryId }
          if (lane === 'first') recordFact(state, 'command.result', { ...header, accepted: true })
          else
            recordFact(state, 'job.finished', {
              ...header,
              ...succeeded,
              finishedAt: '2026-11-23T07:12:56.534Z',
            })
        }
        const committed: Fact[] = []
        const highest = (lane: string) =>
          Math.max(0, ...committed.filter(fact => fact.message.lane === lane).map(fact => fact.message.seq))
        while (nextFact(state) !== undefined) {
          reconcileFacts(state, { first: highest('first'), rest: highest('rest') })
          if (nextFact(state) === undefined) break
          const connection = new AbortController()
          await sendFacts({
            state,
            log,
            signal: connection.signal,
            onAnswer: () => {},
            onSetAside: () => {},
            onTold: () => void (nextFact(state) === undefined && connection.abort()),
            async send(fact) {
              const fate = calamities.shift() ?? 'fine'
              if (fate !== 'lostCall' && fate !== 'busy') {
                const { lane, seq } = fact.message
                if (!committed.some(({ message }) => message.lane === lane && message.seq === seq))
                  committed.push(fact)
              }
              if (fate === 'busy') throw Object.assign(new Error('busy'), { data: { code: 'CONFLICT' } })
              if (fate !== 'fine') {
                connection.abort()
                throw new Error('the socket is gone')
              }
              return { seq: fact.message.seq, proceed: true }
            },
          })
        }
        for (const lane of ['first', 'rest']) {
          const seqs = committed.filter(fact => fact.message.lane === lane).map(fact => fact.message.seq)
          expect(seqs).toEqual(lanes.filter(each => each === lane).map((_, at) => at + 1))
        }
        state.close()
      },
    ),
    { numRuns: 40 },
  )
})

test('a memory of the version before is brought up to date, and what it held goes on', () => {
  const dir = folder()
  const old = openStore(join(dir, 'state.db'), 'FULL')
  for (const statement of schemaSteps[0].split(';')) if (statement.trim() !== '') old.run(statement)
  old.run('pragma user_version = 1')
  const scheduleId = newId()
  const [first, second] = [newId(), newId()]
  for (const [id, at] of [
    [second, 2],
    [first, 1],
  ] as const) {
    const header = JSON.stringify({ jobId: id, kind: 'backup', repositoryId, scheduleId })
    old.run(
      `insert into jobs (id, kind, header, spec, config_version, state, accepted_at)
       values (?, 'backup', ?, '{}', 1, 'accepted', ?)`,
      ...[id, header, at],
    )
  }
  old.close()
  const state = openState(dir, log)
  const third = acceptedJob(state)
  expect(openJobs(state).map(job => job.id)).toEqual([first, second, third.id])
  expect(openRunsOf(state, scheduleId).toSorted()).toEqual([first, second].toSorted())
  expect(appliedSet(state).version).toBe(0)
  state.close()
  openState(dir, log).close()
})

test('what came due goes ahead of everything else, the newest first', () => {
  const state = openState(folder(), log)
  acceptedJob(state)
  const about = { scheduleId: newId(), version: 1 }
  for (const slot of [1, 2]) {
    armSlot(state, about.scheduleId, slot * 60_000, slot * 60_000)
    askServer(state, { ...about, slot: slot * 60_000 })
  }
  const order = []
  for (let fact = nextFact(state); fact !== undefined; fact = nextFact(state)) {
    order.push([fact.name, fact.message.seq])
    ackFact(state, fact.message)
  }
  expect(order).toEqual([
    ['schedule.fire', 3],
    ['schedule.fire', 2],
    ['command.result', 1],
  ])
  reconcileFacts(state, { first: 1, rest: 0 })
  expect(nextFact(state)?.message.seq).toBe(3)
  state.close()
})
