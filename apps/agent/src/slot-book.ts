// Slots on disk: each step of a slot is written before the next is taken, and each slot ends once.
import { slotJobId, toSlot } from '@restic-manager/contract/slots'
import { toInstant } from '@restic-manager/contract/scalars'
import type { ScheduleFireAnswer } from '@restic-manager/contract/schedule'
import { recordFact, withdrawFact } from './facts.ts'
import { readJob } from './job-book.ts'
import type { SlotState } from './slot-decision.ts'
import type { State } from './state.ts'
import type { Row, Store } from './store.ts'

type Answer = ScheduleFireAnswer['jobs']

/** A slot on which something is still to be decided. */
export type OpenSlot = {
  scheduleId: string
  slot: number
  fireAt: number
  state: SlotState
  /** The fact that asks the server; undefined: none does, or the server will never take it. */
  fireSeq: number | undefined
  answer: Answer | undefined
}

/** What a slot is named by in facts: its schedule, in the version that was applied, and its instant. */
export type SlotName = { scheduleId: string; slot: number; version: number }

/** A slot has come. Nothing happens for one that is counted already. */
export function armSlot(state: State, scheduleId: string, slot: number, fireAt: number): void {
  if (isCounted(state, scheduleId, slot)) return
  state.run(
    `insert into slots (schedule_id, slot, oldest, fire_at, state) values (?, ?, ?, ?, 'armed')`,
    ...[scheduleId, slot, slot, fireAt],
  )
}

/** Whether anything is written of a slot, by itself or in a range. */
export function isCounted(store: Store, scheduleId: string, slot: number): boolean {
  return coveringRow(store, scheduleId, slot) !== undefined
}

function coveringRow(store: Store, scheduleId: string, slot: number): Row | undefined {
  return store.one(
    'select * from slots where schedule_id = ? and slot >= ? and oldest <= ? order by slot limit 1',
    ...[scheduleId, slot, slot],
  )
}

/** When a slot was to fire, as it was when it was armed; undefined: it was not. */
export function fireAtOf(store: Store, scheduleId: string, slot: number): number | undefined {
  const row = store.one('select fire_at from slots where schedule_id = ? and slot = ?', scheduleId, slot)
  return row === undefined ? undefined : Number(row.fire_at)
}

/** The slots on which something is to be decided, oldest first. */
export function openSlots(store: Store): OpenSlot[] {
  return store.all(`select * from slots where state <> 'done' order by slot, schedule_id`).map(toSlotRow)
}

/** The slots of a schedule that were fired, and of which something is still to be decided. */
export function firedSlots(store: Store, scheduleId: string): number[] {
  const rows = store.all(
    `select slot from slots where schedule_id = ? and state <> 'done' and state <> 'armed'`,
    scheduleId,
  )
  return rows.map(({ slot }) => Number(slot))
}

/** Asks the server what becomes of the slot: the question is a fact, and on disk with the slot. */
export function askServer(state: State, { scheduleId, slot, version }: SlotName): void {
  state.transaction(() => {
    const seq = recordFact(state, 'schedule.fire', {
      ...fireOf(scheduleId, slot, version),
      decidedBy: 'server',
    })
    state.run(
      `update slots set state = 'asked', fire_seq = ? where schedule_id = ? and slot = ?`,
      ...[seq, scheduleId, slot],
    )
  })
}

/** Tells the server that this host decided by itself, and which jobs it began. Belongs into the transaction that begins them. */
export function tellDecided(
  state: State,
  { scheduleId, slot, version }: SlotName,
  jobs: { jobId: string; repositoryId: string }[],
): void {
  recordFact(state, 'schedule.fire', { ...fireOf(scheduleId, slot, version), decidedBy: 'agent', jobs })
}

const fireOf = (scheduleId: string, slot: number, scheduleVersion: number) => ({
  scheduleId,
  scheduleVersion,
  scheduledAt: toSlot(slot),
})

/** Nobody is to be asked about the slot any more. */
export function withdrawQuestion(state: State, { fireSeq }: Pick<OpenSlot, 'fireSeq'>): void {
  if (fireSeq !== undefined) withdrawFact(state, { lane: 'first', seq: fireSeq })
}

/** Nothing is open of a slot that was fired. */
export function settleSlot(state: State, scheduleId: string, slot: number): void {
  state.run(
    `update slots set state = 'done', outcome = 'fired' where schedule_id = ? and slot = ?`,
    ...[scheduleId, slot],
  )
}

export type NotRun = SlotName & {
  /** Of a range; `slot` is its newest. */
  oldest: number
  count: number
  repositoryIds: string[]
  outcome: 'missed' | 'skipped'
  reason: string
}

/** A slot, or a range of them, did not run: that and the fact that says so are one commit. */
export function recordNotRun(state: State, notRun: NotRun): void {
  const { scheduleId, version, slot, oldest, count, repositoryIds, outcome, reason } = notRun
  state.transaction(() => {
    state.run(
      `insert into slots (schedule_id, slot, oldest, count, fire_at, state, outcome, reason)
       values (?, ?, ?, ?, ?, 'done', ?, ?)
       on conflict (schedule_id, slot) do update set state = 'done', outcome = excluded.outcome, reason = excluded.reason`,
      ...[scheduleId, slot, oldest, count, slot, outcome, reason],
    )
    recordFact(state, 'schedule.notRun', {
      ...{ scheduleId, scheduleVersion: version, repositoryIds, outcome, count, reason },
      from: toInstant(oldest),
      to: toInstant(slot),
    })
  })
}

/**
 * Keeps the server's answer to a fire. Older slots of the same schedule whose order has not come have given way to this
 * one on the server, too. Safe to call twice.
 */
export function keepFireAnswer(state: State, seq: number, jobs: Answer): void {
  state.transaction(() => {
    const row = state.one('select * from slots where fire_seq = ?', seq)
    if (row === undefined || row.state !== 'asked') return
    const { scheduleId, slot } = toSlotRow(row)
    const write = (answer: Answer, at: number) =>
      state.run(
        `update slots set state = 'answered', answer = ? where schedule_id = ? and slot = ?`,
        ...[JSON.stringify(answer), scheduleId, at],
      )
    write(jobs, slot)
    const queued = new Set(jobs.filter(job => job.decision === 'queued').map(job => job.repositoryId))
    const older = state.all(
      `select * from slots where state = 'answered' and schedule_id = ? and slot < ?`,
      ...[scheduleId, slot],
    )
    for (const each of older.map(toSlotRow)) {
      const given = each.answer ?? []
      const kept = given.map(job => {
        const isOver = queued.has(job.repositoryId) && readJob(state, job.jobId) === undefined
        return isOver ? supersede(job) : job
      })
      write(kept, each.slot)
    }
  })
}

const supersede = ({ jobId, repositoryId }: Answer[number]): Answer[number] => ({
  ...{ jobId, repositoryId, decision: 'skipped' },
  reason: 'superseded',
})

/** The server will never take this fire. What the host cannot decide alone is over with that. */
export function releaseFire(state: State, seq: number): void {
  state.run('update slots set fire_seq = null where fire_seq = ?', seq)
}

/** Why a slot's job must not run any more although an order came for it; undefined: it may. */
export function reasonAgainst(
  store: Store,
  order: {
    jobId: string
    repositoryId: string
    scheduleId?: string | undefined
    scheduledAt?: string | undefined
  },
): string | undefined {
  const { jobId, repositoryId, scheduleId, scheduledAt } = order
  if (scheduleId === undefined || scheduledAt === undefined) return undefined
  if (jobId.toLowerCase() !== slotJobId(scheduleId, scheduledAt, repositoryId)) return undefined
  const row = coveringRow(store, scheduleId, Date.parse(scheduledAt))
  if (row === undefined) return undefined
  if (row.outcome === 'missed' || row.outcome === 'skipped') return String(row.reason)
  const answer = toSlotRow(row).answer?.find(each => each.repositoryId === repositoryId)
  return answer?.reason === 'superseded' ? answer.reason : undefined
}

/**
 * Forgets what ended longer ago than `keptMs`. Up to where is kept with the schedule, so that whatever the clock does none of
 * it is counted again.
 */
export function pruneSlots(state: State, keptMs: number): void {
  const before = state.clock.now() - keptMs
  state.transaction(() => {
    state.run(
      `update slots set state = 'done', outcome = 'fired' where state = 'answered' and slot < ?`,
      before,
    )
    state.run(
      `update schedules set pruned_through = max(pruned_through, coalesce((select max(slot) from slots
         where schedule_id = schedules.id and state = 'done' and slot < ? and slot <= through), 0))`,
      before,
    )
    state.run(
      `delete from slots where state = 'done' and slot < ?
         and slot <= coalesce((select pruned_through from schedules where id = slots.schedule_id), slot)`,
      before,
    )
    state.run(
      `delete from schedules where stopped = 'schedule_deleted'
         and not exists (select 1 from slots where schedule_id = schedules.id)`,
    )
  })
}

function toSlotRow(row: Row): OpenSlot {
  return {
    scheduleId: String(row.schedule_id),
    slot: Number(row.slot),
    fireAt: Number(row.fire_at),
    state: row.state as SlotState,
    fireSeq: row.fire_seq === null ? undefined : Number(row.fire_seq),
    answer: row.answer === null ? undefined : (JSON.parse(String(row.answer)) as Answer),
  }
}
