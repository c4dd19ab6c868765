// Facts on disk: written before they are sent, sent until the server has committed them, kept a while after that.
import type { CommandResult } from '@restic-manager/contract/command'
import type { AckedSeq, Lane } from '@restic-manager/contract/fact'
import type { JobFinished, JobStarted } from '@restic-manager/contract/job'
import { toInstant } from '@restic-manager/contract/scalars'
import type { ScheduleFire, ScheduleNotRun } from '@restic-manager/contract/schedule'
import type { SnapshotsReport } from '@restic-manager/contract/snapshots'
import type { State } from './state.ts'
import type { Row, Store } from './store.ts'

/** Every fact this agent tells, by the name of its message. */
export type FactPayloads = {
  'schedule.fire': ScheduleFire
  'schedule.notRun': ScheduleNotRun
  'command.result': CommandResult
  'job.started': JobStarted
  'job.finished': JobFinished
  'snapshots.report': SnapshotsReport
}
export type FactName = keyof FactPayloads
/** A fact without the numbering that its lane gives it. */
export type Untold<N extends FactName> = Omit<FactPayloads[N], 'lane' | 'seq' | 'occurredAt'>
/** A fact as it goes over the wire. */
export type Fact = { [N in FactName]: { name: N; message: FactPayloads[N] } }[FactName]

/** A moment in the life of a spool: facts of higher numbers were written later. */
export type FactMark = AckedSeq & { epoch: string }

/** `first`: the server waits for the answer. `rest`: told in the order it happened. */
const lanes: Record<FactName, Lane> = {
  'schedule.fire': 'first',
  'schedule.notRun': 'rest',
  'command.result': 'first',
  'job.started': 'rest',
  'job.finished': 'rest',
  'snapshots.report': 'rest',
}
/** Facts of the first lane have answers. They are sent until the answer is in, whatever the server says it has committed. */
const answeredLane: Lane = 'first'

/** Writes a fact down; returns its number in its lane. From here on it will be told, whatever happens. */
export function recordFact<N extends FactName>(
  state: State,
  name: N,
  payload: Untold<N>,
  about: { jobId?: string; scope?: string } = {},
): number {
  const lane = lanes[name]
  const seq = state.transaction(() => {
    const row = state.one('update lanes set last_seq = last_seq + 1 where lane = ? returning last_seq', lane)
    const seq = Number(row?.last_seq)
    state.run(
      'insert into facts (lane, seq, name, job_id, scope, payload, created_at) values (?, ?, ?, ?, ?, ?, ?)',
      ...[
        lane,
        seq,
        name,
        about.jobId ?? null,
        about.scope ?? null,
        JSON.stringify(payload),
        state.clock.now(),
      ],
    )
    return seq
  })
  state.factsBell.ring()
  return seq
}

/**
 * The fact to send now: the newest slot that came due, since a backup may be waiting for its answer; else the oldest
 * that waits in `first`, else the oldest in `rest`.
 */
export function nextFact(state: State): Fact | undefined {
  const fire = state.one(
    `select * from facts where name = 'schedule.fire' and acked_at is null and set_aside is null
     order by seq desc limit 1`,
  )
  const row =
    fire ??
    state.one('select * from facts where acked_at is null and set_aside is null order by lane, seq limit 1')
  return row === undefined ? undefined : toFact(row)
}

/** Takes back a fact that was never answered: what it asked has been decided here. False: it has been answered. */
export function withdrawFact(state: State, fact: { lane: Lane; seq: number }): boolean {
  return (
    state.run('delete from facts where lane = ? and seq = ? and acked_at is null', fact.lane, fact.seq) === 1
  )
}

/** The server has committed this fact. Safe to call twice. */
export function ackFact(state: State, fact: { lane: Lane; seq: number }): void {
  const { lane, seq } = fact
  state.run(
    'update facts set acked_at = ? where lane = ? and seq = ? and acked_at is null',
    state.clock.now(),
    lane,
    seq,
  )
}

/** The server will never take this fact. It is kept and shown, and the others go on. */
export function setFactAside(state: State, fact: { lane: Lane; seq: number }, why: string): void {
  state.run('update facts set set_aside = ? where lane = ? and seq = ?', why, fact.lane, fact.seq)
}

/**
 * Takes over what the server says it has committed of this spool. What it does not have is told again, also when
 * it once had it: it may have been restored from an older dump. Returns the ends of jobs among what is told again.
 */
export function reconcileFacts(state: State, acked: AckedSeq): JobFinished[] {
  const again = state.vital(() =>
    (['first', 'rest'] as const).flatMap(lane => {
      state.run(
        'update facts set acked_at = ? where lane = ? and seq <= ? and acked_at is null and set_aside is null and lane <> ?',
        ...[state.clock.now(), lane, acked[lane], answeredLane],
      )
      return state.all(
        'update facts set acked_at = null where lane = ? and seq > ? and acked_at is not null returning *',
        ...[lane, acked[lane]],
      )
    }),
  )
  state.factsBell.ring()
  return again.map(toFact).flatMap(({ name, message }) => (name === 'job.finished' ? message : []))
}

/** How far this spool has numbered its facts. */
export function numberedSoFar(state: State): FactMark {
  const rows = state.all('select lane, last_seq from lanes')
  const last = (lane: Lane) => Number(rows.find(row => row.lane === lane)?.last_seq ?? 0)
  return { epoch: state.epoch, first: last('first'), rest: last('rest') }
}

/** Whether the server has committed facts that this spool has yet to number: it was put back from a copy. */
export function isOlderThan(state: State, acked: AckedSeq): boolean {
  return state
    .all('select lane, last_seq from lanes')
    .some(row => Number(row.last_seq) < acked[row.lane as Lane])
}

/** Tells the newest fact of that name about a job once more. False: there is none on disk any longer. */
export function repeatFact(state: State, name: FactName, jobId: string): boolean {
  const row = state.one('select max(seq) as seq from facts where job_id = ? and name = ?', jobId, name)
  if (row === undefined || row.seq === null) return false
  state.run('update facts set acked_at = null where lane = ? and seq = ?', lanes[name], row.seq as number)
  state.factsBell.ring()
  return true
}

/** Whether the server has committed a fact of that name about the job. */
export function isTold(state: State, name: FactName, jobId: string): boolean {
  return (
    state.one(
      'select 1 as told from facts where job_id = ? and name = ? and acked_at is not null limit 1',
      ...[jobId, name],
    ) !== undefined
  )
}

/** Whether a fact of that name about the job is yet to be told. */
export function isWaiting(state: State, name: FactName, jobId: string): boolean {
  return (
    state.one(
      'select 1 as waits from facts where job_id = ? and name = ? and acked_at is null and set_aside is null limit 1',
      ...[jobId, name],
    ) !== undefined
  )
}

/** Forgets the facts of a scope: a newer full report makes them worthless. */
export function forgetScope(state: State, scope: string): void {
  state.run('delete from facts where scope = ?', scope)
}

/** Facts the server refused are shown this long. */
const asideKeptMs = 90 * 24 * 3_600_000

/**
 * Forgets facts that were committed at least `keptMs` ago, but never the newest full report of a scope, nor that a job
 * began that goes on: its log hangs on it. And what the server refused long ago. Answers how many went.
 */
export function pruneFacts(state: State, keptMs: number, now = state.clock.now()): number {
  return (
    state.run(
      `delete from facts where acked_at <= ? and scope is null and not (name = 'job.started' and exists
         (select 1 from jobs where jobs.id = facts.job_id and jobs.state in ('accepted', 'starting', 'running')))`,
      now - keptMs,
    ) + state.run('delete from facts where set_aside is not null and created_at < ?', now - asideKeptMs)
  )
}

/** Forgets full reports that the server has committed: it asks for them only when it is restored from an older dump. */
export function forgetToldReports(state: State): void {
  state.run('delete from facts where acked_at is not null and scope is not null')
}

/** How many facts wait, and which were set aside and why. */
export function factDepth(store: Store): {
  waiting: number
  setAsideCount: number
  /** The newest of them. */
  setAside: { name: string; at: string; why: string }[]
} {
  const row = store.one('select count(*) as n from facts where acked_at is null and set_aside is null')
  const refused = store.one('select count(*) as n from facts where set_aside is not null')
  const aside = store.all(
    'select name, created_at, set_aside from facts where set_aside is not null order by created_at desc limit 20',
  )
  return {
    waiting: Number(row?.n),
    setAsideCount: Number(refused?.n),
    setAside: aside.map(fact => ({
      name: String(fact.name),
      at: toInstant(Number(fact.created_at)),
      why: String(fact.set_aside),
    })),
  }
}

function toFact(row: Row): Fact {
  const message = {
    ...(JSON.parse(String(row.payload)) as object),
    lane: row.lane,
    seq: row.seq,
    occurredAt: toInstant(Number(row.created_at)),
  }
  return { name: row.name, message } as unknown as Fact
}
