// Records that are damaged: found at the start or while the agent runs, moved out of the way, told, and never fatal.
import {
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '@restic-manager/runtime/log'
import { until } from '@restic-manager/testkit/until'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nextFact } from './facts.ts'
import { offerSession } from './identity.ts'
import { acceptJob } from './job-intake.ts'
import { openLogSpool } from './log-spool.ts'
import { processStart } from './processes.ts'
import { noReserve } from './reserve.ts'
import { lockState } from './state-lock.ts'
import { openState } from './state.ts'
import { openStore } from './store.ts'
import { openDesk } from './testing-desk.ts'
import { systemClock } from './timers.ts'
import { backupOrder, configOrder } from './testing-orders.ts'

const log = createLog({ level: 'silent' })
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rm-damage-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const damaged = (name: string) => readdirSync(folder).filter(file => file.startsWith(`${name}.damaged-`))

/** Leaves the header as it is: a file that is cut or overwritten in the middle. */
function overwrite(path: string, from = 4_096): void {
  const file = openSync(path, 'r+')
  writeSync(file, Buffer.alloc(statSync(path).size - from, 0xa5), 0, undefined, from)
  closeSync(file)
}

/** Everything that was committed goes from the log into the database itself, as happens now and then. */
function checkpoint(path: string): void {
  const store = openStore(path, 'FULL')
  store.run('pragma wal_checkpoint(truncate)')
  store.close()
}

test.for(['database', 'header', 'log'] as const)(
  'a spool whose %s is damaged is moved aside at the start, the new one says since when, and starts are sound again (row 24)',
  part => {
    const first = openState(folder, log)
    acceptJob(first, backupOrder())
    const path = join(folder, 'state.db')
    const wal = readFileSync(`${path}-wal`)
    first.close()
    if (part === 'database') overwrite(path)
    if (part === 'header') writeFileSync(path, 'this was a database once')
    // As after a crash, when the log holds all there is, and something wrote over its beginning.
    if (part === 'log') writeFileSync(`${path}-wal`, wal.fill('x', 0, 64))

    const second = openState(folder, log)
    expect([second.epoch === first.epoch, second.resetAt]).toEqual([false, expect.any(String)])
    expect(nextFact(second)).toBeUndefined()
    acceptJob(second, backupOrder())
    second.close()
    expect(damaged('state.db').length).toBeGreaterThan(0)
    const third = openState(folder, log)
    expect([third.epoch, third.resetAt]).toEqual([second.epoch, second.resetAt])
    expect(nextFact(third)).toBeDefined()
    third.close()
  },
)

test('a spool that is damaged while the disk is full is begun anew when there is room, under another name, and everybody is told (row 24)', () => {
  let isFull = false
  const state = openState(folder, log, systemClock, {
    ...noReserve,
    spend(_, work) {
      if (isFull) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
      return work()
    },
  })
  const { epoch } = state
  const told: string[] = []
  state.onLost(() => {
    told.push('one that cannot write')
    throw new Error('no space left on device')
  })
  state.onLost(() => void told.push(state.epoch))
  checkpoint(join(folder, 'state.db'))
  overwrite(join(folder, 'state.db'), 0)
  isFull = true
  for (let count = 0; count < 3; count += 1) expect(() => nextFact(state)).toThrow()
  expect(told).toEqual([])
  isFull = false
  expect(nextFact(state)).toBeUndefined()
  expect(state.epoch).not.toBe(epoch)
  expect([told, state.resetAt]).toEqual([['one that cannot write', state.epoch], expect.any(String)])
  expect(damaged('state.db').filter(name => !name.endsWith('-shm') && !name.endsWith('-wal'))).toHaveLength(1)
  state.close()
  const again = openState(folder, log)
  expect(again.epoch).toBe(told.at(-1))
  again.close()
})

test('of spools that are damaged again and again only the last few are kept (row 24)', () => {
  for (let count = 0; count < 6; count += 1) {
    openState(folder, log).close()
    writeFileSync(join(folder, 'state.db'), `this was a database once ${count}`)
  }
  const state = openState(folder, log)
  expect(damaged('state.db')).toHaveLength(3)
  expect(readFileSync(join(folder, damaged('state.db').toSorted().at(-1) ?? ''), 'utf8')).toContain('once 5')
  state.close()
})

test('a spool of logs that is damaged is moved aside, and logs go on (row 24)', () => {
  const block = { firstSeq: 0, count: 1, startedAt: '2026-11-23T07:00:00.000Z', block: '0\to\thello\n' }
  const first = openLogSpool(folder, log)
  first.keep('a job', block)
  first.close()
  writeFileSync(join(folder, 'logs.db'), 'this was a database once')
  const second = openLogSpool(folder, log)
  expect(second.keep('another job', block)).toBe(true)
  second.close()
  expect(damaged('logs.db')).toHaveLength(1)
})

test('a spool that is damaged while a backup runs is begun anew under it, told, and the end of the backup is kept (row 24)', async () => {
  const script = { runs: { backup: { steps: [{ wait: 'damage' }, { summary: {} }] } } }
  await using desk = await openDesk({ process: true, script, logLevel: 'error', timing: { diskRetry: 200 } })
  const order = backupOrder()
  desk.end.order(order)
  await desk.restic.reached('damage')
  await until(() => desk.told(order.jobId).includes('job.started'))
  const path = join(desk.agent.stateDir, 'state.db')
  checkpoint(path)
  overwrite(path)
  desk.restic.open('damage')

  expect(await desk.ending(order.jobId)).toMatchObject({ status: 'succeeded' })
  const [before, after] = [desk.end.memory.hellos[0], desk.end.memory.hellos.at(-1)]
  expect(after?.spoolEpoch).not.toBe(before?.spoolEpoch)
  expect([before?.spoolResetAt, after?.spoolResetAt]).toEqual([undefined, expect.any(String)])
  expect(desk.agent.status().spool?.movedAside).toContain('state.db.damaged-')
  expect(desk.restic.runs('backup')).toMatchObject([{ signals: [], exitCode: 0 }])
  const next = backupOrder()
  desk.end.order(next)
  expect(await desk.ending(next.jobId)).toMatchObject({ status: 'succeeded' })
  expect(desk.agent.output()).not.toMatch(/unhandled|uncaught/i)
})

test('jobs that had begun when the agent was killed and its records were damaged never begin again: an order or a cancel is answered with that (row 24)', async () => {
  const script = { runs: { backup: { steps: [{ wait: 'damage' }, { summary: {} }] } } }
  await using desk = await openDesk({ process: true, script, configured: false })
  const [ordered, cancelled] = [backupOrder(), backupOrder()]
  desk.end.order(configOrder({ maxConcurrentRuns: 2 }))
  for (const order of [ordered, cancelled]) desk.end.order(order)
  const runs = await until(() => {
    const begun = desk.restic.runs('backup')
    return begun.length === 2 && begun
  })
  await desk.agent.kill()
  for (const run of runs) await until(() => processStart(run.pid) === undefined)
  const path = join(desk.agent.stateDir, 'state.db')
  checkpoint(path)
  overwrite(path)
  desk.restic.open('damage')
  const { orders, facts } = desk.end.memory
  const { jobId, kind, repositoryId } = cancelled
  orders.splice(orders.indexOf(cancelled), 1, { order: 'command.cancel', jobId, kind, repositoryId })
  await desk.agent.restart()

  const told = () => facts.filter(fact => fact.epoch === desk.end.memory.hellos.at(-1)?.spoolEpoch)
  await until(() => told().length === 2)
  // What the server asks once more after every hello gets the first answer.
  desk.end.dropSockets()
  await until(() => desk.end.memory.hellos.length === 3)
  const next = backupOrder()
  desk.end.order(next)
  expect(await desk.ending(next.jobId)).toMatchObject({ status: 'succeeded' })
  const answers = told().flatMap(fact => (fact.name === 'command.result' ? fact.message : []))
  const refusal = { accepted: false, reason: 'agent_lost_it', error: expect.stringContaining('damaged') }
  const answerTo = ({ jobId }: { jobId: string }) => answers.filter(answer => answer.jobId === jobId)
  expect(answerTo(ordered)).toMatchObject([refusal])
  expect(answerTo(cancelled)).toMatchObject([refusal])
  expect(desk.restic.runs('backup')).toHaveLength(3)
})

test.for(['', '{"confirmed":'])(
  'sessions that cannot be read (%j) are named, and never guessed at (row 24)',
  text => {
    writeFileSync(join(folder, 'sessions.json'), text)
    expect(() => offerSession(folder)).toThrow(
      /sessions\.json is damaged.*Restore the file, or enrol this host anew/,
    )
  },
)

test('a lock file that something wrote into locks nobody out (row 24)', () => {
  writeFileSync(
    join(folder, 'agent.lock'),
    'no lock, but long enough to be taken for something else '.repeat(20),
  )
  lockState(folder).release()
})
