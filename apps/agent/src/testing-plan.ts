// For tests of the plan only: the loop over a memory on disk and a clock that stands still, without a server or restic.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newId } from '@restic-manager/contract/ids'
import type { RepositoryAccess } from '@restic-manager/contract/repository'
import type {
  HostPause,
  Schedule,
  ScheduleFire,
  ScheduleFireAnswer,
  ScheduleNotRun,
} from '@restic-manager/contract/schedule'
import { slotJobId, toSlot } from '@restic-manager/contract/slots'
import { timing, type Timing } from '@restic-manager/contract/timing'
import { createLog } from '@restic-manager/runtime/log'
import { ackFact, nextFact } from './facts.ts'
import { endJob, readJob } from './job-book.ts'
import type { AppliedSet } from './plan-book.ts'
import { openSchedules, type PlanParts, type Schedules } from './schedules.ts'
import { createServerTime } from './server-time.ts'
import { keepFireAnswer } from './slot-book.ts'
import { openState, type State } from './state.ts'
import { createTestClock, type TestClock } from './testing-clock.ts'

export type PlanBench = Disposable & {
  clock: TestClock
  state: State
  schedules: Schedules
  hostId: string
  access: Map<string, Pick<RepositoryAccess, 'mayDelete'>>
  acks: AppliedSet[]
  policy: ReturnType<PlanParts['policy']>
  configVersion: number
  hasRoom: boolean
  /** Goes with each set from now on. */
  pause: HostPause | undefined
  serverTime: PlanParts['serverTime']
  /** The next version of the plan, with these schedules. */
  plan(...schedules: Schedule[]): void
  /** The agent ends without a word and starts again; `meanwhile` is what happens in between. */
  restart(meanwhile?: () => unknown): Promise<void>
  fires(): Omit<ScheduleFire, 'lane' | 'seq' | 'occurredAt'>[]
  notRuns(): Omit<ScheduleNotRun, 'lane' | 'seq' | 'occurredAt'>[]
  /** The server commits the newest fire and answers it: each repository alike, or as said. */
  answer(decision?: 'queued' | 'skipped' | 'delegated' | ScheduleFireAnswer['jobs']): void
  /** How the job of a slot stands: its state in the book, undefined when nobody knows it. */
  job(schedule: Schedule, at: string, repositoryId?: string): string | undefined
  endJob(schedule: Schedule, at: string, repositoryId?: string): void
}

const log = createLog({ level: 'silent' })

/** A host whose clock stands at `start`. It has no link until `schedules.linked(true)`. */
export function planBench(start = '2026-06-10T11:30:00Z', periods: Partial<Timing> = {}): PlanBench {
  const clock = createTestClock(start)
  const folder = mkdtempSync(join(tmpdir(), 'rm-plan-'))
  let version = 0
  const told = (name: string) =>
    bench.state
      .all('select payload from facts where name = ? order by lane, seq', name)
      .map(row => JSON.parse(String(row.payload)) as never)

  const open = () =>
    openSchedules({
      state: bench.state,
      hostId: bench.hostId,
      config: {
        current: () => ({ version: bench.configVersion }),
        repository: (id: string) => bench.access.get(id),
      } as never,
      policy: () => bench.policy,
      serverTime: bench.serverTime,
      timing: { ...timing, ...periods },
      hasRoom: () => bench.hasRoom,
      onJobs: () => {},
      log,
    })
  const idOf = (schedule: Schedule, at: string, repositoryId = schedule.repositoryIds[0] ?? '') =>
    slotJobId(schedule.id, toSlot(Date.parse(at)), repositoryId)

  const bench: PlanBench = {
    schedules: undefined as never, // made below, of what stands here
    clock,
    state: openState(folder, log, clock),
    hostId: newId(),
    access: new Map(),
    acks: [],
    policy: { hooks: 'off' },
    configVersion: 1,
    hasRoom: true,
    pause: undefined,
    serverTime: createServerTime(clock, timing, log),
    plan(...schedules) {
      version += 1
      const set = { version, configVersion: 1, schedules, ...(bench.pause && { pause: bench.pause }) }
      bench.schedules.receive(set, ack => bench.acks.push(ack))
    },
    async restart(meanwhile) {
      bench.schedules.stop()
      bench.state.close()
      await meanwhile?.()
      bench.state = openState(folder, log, clock)
      bench.schedules = open()
      bench.schedules.start()
    },
    fires: () => told('schedule.fire'),
    notRuns: () => told('schedule.notRun'),
    answer(decision = 'queued') {
      const fact = nextFact(bench.state)
      if (fact?.name !== 'schedule.fire') throw new Error('no fire waits for an answer')
      const { scheduleId, scheduledAt, seq } = fact.message
      const row = bench.state.one('select body from schedules where id = ?', scheduleId)
      const { repositoryIds } = JSON.parse(String(row?.body)) as Schedule
      const alike = (repositoryId: string) => ({
        jobId: slotJobId(scheduleId, scheduledAt, repositoryId),
        repositoryId,
        decision: decision as 'queued',
      })
      const jobs = typeof decision === 'string' ? repositoryIds.map(alike) : decision
      ackFact(bench.state, { lane: 'first', seq })
      if (fact.message.decidedBy === 'server') keepFireAnswer(bench.state, seq, jobs)
      bench.schedules.look()
    },
    job: (schedule, at, repositoryId) => readJob(bench.state, idOf(schedule, at, repositoryId))?.state,
    endJob(schedule, at, repositoryId) {
      const job = readJob(bench.state, idOf(schedule, at, repositoryId))
      if (job === undefined) throw new Error('no such job')
      endJob(bench.state, job, { status: 'succeeded', warnings: [], lastLogSeq: -1 })
    },
    [Symbol.dispose]() {
      bench.schedules.stop()
      bench.state.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  bench.schedules = open()
  bench.schedules.start()
  return bench
}
