// The plan of this host on disk: its schedules as they were applied last, and up to where the slots of each are counted.
import type { PolicySummary } from '@restic-manager/contract/agent'
import { complaintAboutTimetable, type Timetable } from '@restic-manager/contract/cron'
import { toInstant } from '@restic-manager/contract/scalars'
import { Schedule, type ScheduleAck, type ScheduleSet } from '@restic-manager/contract/schedule'
import { complaintsAboutSchedule } from '@restic-manager/contract/schedule-complaints'
import { keepPause } from './plan-pause.ts'
import { fitText } from './restic/fit-text.ts'
import { readMeta, writeMeta, type State } from './state.ts'
import type { Store } from './store.ts'

/** A set as this host applied it: what is acked, and how it goes into facts about slots. */
export type AppliedSet = ScheduleAck & { rejected: NonNullable<ScheduleAck['rejected']> }

export type Plan = {
  schedule: Schedule
  /** Undefined: its slots do not count, for the reason in `stopped` or because it is manual. */
  timetable: Timetable | undefined
  /** Why it does not fire, as a reason code. */
  stopped: string | undefined
  /** Every slot up to here is counted. */
  through: number
}

const noSet: AppliedSet = { version: 0, appliedAt: toInstant(0), rejected: [] }

/** The set that was applied last; version 0: none yet. */
export function appliedSet(store: Store): AppliedSet {
  const text = readMeta(store, 'scheduleSet')
  return text === undefined ? noSet : (JSON.parse(text) as AppliedSet)
}

/** Remembers the set that was applied. Belongs into the transaction that applies it. */
export function keepApplied(state: State, applied: AppliedSet): void {
  writeMeta(state, 'scheduleSet', JSON.stringify(applied))
}

/** The version that came last, applied or waiting; undefined: none came. */
export function receivedVersion(store: Store): number | undefined {
  const text = readMeta(store, 'scheduleSetReceived')
  return text === undefined ? undefined : Number(text)
}

/** Remembers which version came, so that `agent status` can say that it waits. */
export function noteReceived(state: State, version: number): void {
  writeMeta(state, 'scheduleSetReceived', String(version))
}

/** All schedules this host knows, also deleted ones of which a slot is open. */
export function readPlans(store: Store): Plan[] {
  return store.all('select id, body, stopped, through from schedules order by id').flatMap(row => {
    const read = Schedule.safeParse(JSON.parse(String(row.body)))
    if (!read.success) return [] // an older agent took it; the server sends it again, and it is rejected then
    const stopped = row.stopped === null ? undefined : String(row.stopped)
    return planOf(read.data, stopped, Number(row.through))
  })
}

function planOf(schedule: Schedule, stored: string | undefined, through: number): Plan {
  const { enabled, manual, cron, timeZone } = schedule
  const stopped = stored ?? (enabled && !manual ? undefined : 'schedule_paused')
  const timetable = { cron: cron ?? '', timeZone }
  if (stopped !== undefined) return { schedule, stopped, timetable: undefined, through }
  // The zone data of the machine may have changed since it was applied.
  return complaintAboutTimetable(timetable) === undefined
    ? { schedule, stopped, timetable, through }
    : { schedule, stopped: 'unsupported', timetable: undefined, through }
}

/** Every slot of the schedule up to `through` is counted. */
export function countThrough(state: State, scheduleId: string, through: number): void {
  state.run('update schedules set through = ? where id = ?', through, scheduleId)
}

/**
 * Puts a whole set in the place of the last one, in one commit. What is not acceptable is rejected by its id and does not
 * run. Counting begins anew at `now` where the timetable itself changed: every slot up to then must be counted already. Safe to
 * call twice: the second time says the same.
 */
export function applySet(
  state: State,
  set: ScheduleSet,
  policy: PolicySummary,
  now: number,
): { applied: AppliedSet; hasChanged: boolean } {
  return state.transaction(() => {
    const known = new Map(
      state.all('select * from schedules').map(row => [String(row.id), row as unknown as PlanRow]),
    )
    const rejected: AppliedSet['rejected'] = []
    let hasChanged = false
    for (const entry of set.schedules) {
      const before = known.get(entry.id)
      known.delete(entry.id)
      const read = readEntry(entry, before, policy)
      if ('code' in read) {
        rejected.push({ scheduleId: entry.id, code: read.code, reason: fitText(read.reason, 2_000) })
        const stopped = read.code === 'hooks_not_allowed' ? 'refused_by_policy' : 'unsupported'
        if (before !== undefined) hasChanged = stopPlan(state, before, stopped) || hasChanged
      } else if (!read.isKnown) {
        keepSchedule(state, read.schedule, before, now)
        hasChanged = true
      }
    }
    for (const before of known.values())
      hasChanged = stopPlan(state, before, 'schedule_deleted') || hasChanged
    const last = appliedSet(state)
    // The same set again: what is counted began when it was applied first.
    const appliedAt = set.version === last.version && !hasChanged ? last.appliedAt : toInstant(now)
    const applied = { version: set.version, appliedAt, rejected }
    keepApplied(state, applied)
    keepPause(state, set.pause)
    return { applied, hasChanged }
  })
}

type PlanRow = { id: string; body: string; stopped: string | null; through: number; pruned_through: number }
type Entry = { schedule: Schedule; isKnown: boolean } | { code: string; reason: string }

function readEntry(
  entry: ScheduleSet['schedules'][number],
  before: PlanRow | undefined,
  policy: PolicySummary,
): Entry {
  const read = Schedule.safeParse(entry)
  if (!read.success) {
    const [issue] = read.error.issues
    const what = `${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`.trim()
    return {
      code: 'unsupported',
      reason: `This agent does not understand the schedule (${what}). It may be too old.`,
    }
  }
  const isKnown = before !== undefined && before.stopped === null && before.body === JSON.stringify(read.data)
  // What was checked when it was applied is not counted through again after every hello.
  const [complaint] = isKnown && !hasHook(read.data) ? [] : complaintsAboutSchedule(read.data, { policy })
  if (complaint !== undefined) return { code: complaint.code, reason: complaint.message }
  return { schedule: read.data, isKnown }
}

const hasHook = ({ preHook, postHook }: Schedule) => preHook !== undefined || postHook !== undefined

function stopPlan(state: State, { id, stopped }: PlanRow, why: string): boolean {
  if (stopped === why) return false
  state.run('update schedules set stopped = ? where id = ?', why, id)
  return true
}

function keepSchedule(state: State, schedule: Schedule, before: PlanRow | undefined, now: number): void {
  const through =
    before !== undefined && before.stopped === null && isSameTimetable(before, schedule)
      ? before.through
      : Math.max(now, before?.pruned_through ?? 0)
  state.run(
    `insert into schedules (id, body, through) values (?, ?, ?)
     on conflict (id) do update set body = excluded.body, through = excluded.through, stopped = null`,
    ...[schedule.id, JSON.stringify(schedule), through],
  )
}

function isSameTimetable(before: PlanRow, after: Schedule): boolean {
  const body = JSON.parse(before.body) as Schedule
  return (['cron', 'timeZone', 'enabled', 'manual'] as const).every(field => body[field] === after[field])
}
