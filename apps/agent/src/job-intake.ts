// How a job comes into the book: ordered and accepted, turned down, cancelled unseen, or begun by this host alone.
import type { CommandRun, CommandRunHeader, JobSpec } from '@restic-manager/contract/command'
import type { JobHeader, JobKind } from '@restic-manager/contract/job'
import { jobReasons, type JobReason } from '@restic-manager/contract/reasons'
import { recordFact, repeatFact } from './facts.ts'
import { recordEnd, slotOf, type Ending } from './job-book.ts'
import type { State } from './state.ts'

type Refusal = { reason: string; error: string }

const headerOf = (order: CommandRunHeader | CommandRun): JobHeader => ({
  jobId: order.jobId,
  kind: order.kind as JobKind, // of a refused job it may be any word; it goes back as it came
  repositoryId: order.repositoryId,
  ...(order.scheduleId === undefined ? {} : { scheduleId: order.scheduleId }),
  ...(order.scheduledAt === undefined ? {} : { scheduledAt: order.scheduledAt }),
  ...(order.retryOf === undefined ? {} : { retryOf: order.retryOf }),
})

/** Accepts a job: the job and the fact that says so are one commit. Access that is lent is not written. False: this id is known already. */
export function acceptJob(state: State, order: CommandRun): boolean {
  return enterOrder(state, order, undefined)
}

/** Turns an order down, and remembers it, on a full disk too. False: this id is known already. */
export function refuseJob(
  state: State,
  order: CommandRunHeader | CommandRun,
  reason: string,
  error: string,
): boolean {
  return state.vital(() => enterOrder(state, order, { reason, error }))
}

function enterOrder(state: State, order: CommandRunHeader | CommandRun, refusal: Refusal | undefined) {
  return state.transaction(() => {
    const header = headerOf(order)
    const entered = enter(state, header, {
      spec: order.spec ?? {},
      configVersion: order.configVersion,
      elevated: order.elevatedAccess !== undefined,
      state: refusal === undefined ? 'accepted' : 'refused',
      refusal,
    })
    if (entered) recordResult(state, header, refusal)
    return entered
  })
}

/**
 * Begins a slot's job without the server, to start as soon as there is room. The fact that says so is the fire of its
 * slot, in the same transaction. False: this id is known already.
 */
export function enterAlone(state: State, header: JobHeader, spec: JobSpec, configVersion: number): boolean {
  return enter(state, header, { spec, configVersion, state: 'accepted', proceed: 1 })
}

/**
 * A job that never started and never will: it is written down as ended, so that a later order for it is turned away.
 * With a full header the server is told the end, too. False: this id is known.
 */
export function endUnseen(
  state: State,
  jobId: string,
  header: JobHeader | undefined,
  reason: JobReason = 'cancelled_by_operator',
): boolean {
  return state.transaction(() => {
    const refusal = { reason, error: jobReasons[reason] }
    const entered = enter(state, header ?? { jobId }, { state: 'ended', status: 'cancelled', refusal })
    if (!entered) return false
    if (header !== undefined) {
      const ending: Ending = { status: 'cancelled', reason, warnings: [], lastLogSeq: -1 }
      const seq = recordEnd(state, header, ending, state.clock.now())
      state.run('update jobs set ended_seq = ? where id = ?', seq, jobId)
    }
    return true
  })
}

type Entry = {
  state: 'accepted' | 'refused' | 'ended'
  spec?: unknown
  configVersion?: number
  elevated?: boolean
  proceed?: 1
  refusal?: Refusal | undefined
  status?: 'cancelled'
}

function enter(state: State, header: Partial<JobHeader> & { jobId: string }, entry: Entry): boolean {
  const now = state.clock.now()
  const { scheduleId = null } = header
  return (
    state.run(
      `insert into jobs (id, kind, header, schedule_id, slot, spec, config_version, elevated, state, proceed, refusal,
         cancelled, status, accepted_at, ended_at, place)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, (select coalesce(max(place), 0) + 1 from jobs))
       on conflict (id) do nothing`,
      ...[header.jobId, header.kind ?? '', JSON.stringify(header), scheduleId, slotOf(header)],
      ...[JSON.stringify(entry.spec ?? {}), entry.configVersion ?? 0, entry.elevated === true ? 1 : 0],
      ...[entry.state, entry.proceed ?? null],
      ...[entry.refusal === undefined ? null : JSON.stringify(entry.refusal)],
      ...[entry.status === 'cancelled' ? 1 : 0, entry.status ?? null],
      ...[now, entry.state === 'accepted' ? null : now],
    ) === 1
  )
}

/** Gives the first answer to an order again. */
export function repeatAnswer(state: State, order: CommandRunHeader | CommandRun): void {
  if (repeatFact(state, 'command.result', order.jobId)) return
  const row = state.one('select refusal from jobs where id = ?', order.jobId)
  if (row === undefined) return
  const refusal = row.refusal === null ? undefined : (JSON.parse(String(row.refusal)) as Refusal)
  recordResult(state, headerOf(order), refusal)
}

/**
 * Says again what became of a job that a cancel is too late for: how it ended, or why it never ran. Of one that had begun
 * before the records were damaged only the cancel says what it was. Nothing when nobody could be told.
 */
export function repeatOutcome(state: State, jobId: string, header: JobHeader | undefined): void {
  if (repeatFact(state, 'job.finished', jobId)) return
  const row = state.one(`select refusal from jobs where id = ? and state = 'refused'`, jobId)
  if (row === undefined || repeatFact(state, 'command.result', jobId) || header === undefined) return
  recordResult(state, header, JSON.parse(String(row.refusal)) as Refusal)
}

/** Keeps the server's answer to the acceptance of a job. Safe to call twice. */
export function keepAnswer(state: State, jobId: string, proceed: boolean): void {
  state.run(
    // What this host decided alone was never a question.
    `update jobs set proceed = ? where id = ? and state = 'accepted' and proceed is not 1`,
    ...[proceed ? 1 : 0, jobId],
  )
}

function recordResult(state: State, header: JobHeader, refusal: Refusal | undefined) {
  const result = { ...header, accepted: refusal === undefined, ...refusal }
  recordFact(state, 'command.result', result, { jobId: header.jobId })
}
