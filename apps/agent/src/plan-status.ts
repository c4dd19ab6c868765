// What `agent status` says of the plan: when each schedule runs next, and what became of its last slot.
import { nextSlots } from '@restic-manager/contract/cron'
import { jitterMs } from '@restic-manager/contract/slots'
import { toInstant } from '@restic-manager/contract/scalars'
import { appliedSet, readPlans, receivedVersion, type Plan } from './plan-book.ts'
import type { Store } from './store.ts'

export type PlanStatus = {
  /** 0: no plan was applied yet. */
  version: number
  appliedAt?: string
  /** A newer plan that came and waits for its configuration. */
  waiting?: number
  schedules: {
    scheduleId: string
    name: string
    kind: string
    /** Why it does not run by itself, as a reason code. */
    stopped?: string
    nextRunAt?: string
    last?: { slot: string; became: string }
  }[]
  rejected: { scheduleId: string; code: string; reason: string }[]
}

/** Reads the plan of a host. */
export function readPlanStatus(store: Store, hostId: string, now: number): PlanStatus {
  const { version, appliedAt, rejected } = appliedSet(store)
  const received = receivedVersion(store)
  const known = readPlans(store).filter(plan => plan.stopped !== 'schedule_deleted')
  return {
    version,
    ...(version === 0 ? {} : { appliedAt }),
    ...(received === undefined || received === version ? {} : { waiting: received }),
    schedules: known.map(plan => statusOf(store, plan, hostId, now)),
    rejected,
  }
}

function statusOf(store: Store, plan: Plan, hostId: string, now: number): PlanStatus['schedules'][number] {
  const { id, name, kind, jitterSeconds, manual } = plan.schedule
  const jitter = jitterMs(hostId, id, jitterSeconds)
  // What fires within its spread is under way: the run after that is next.
  const next = plan.timetable && nextSlots(plan.timetable, new Date(Math.max(now, plan.through)), 1)[0]
  const stopped = manual ? 'manual' : plan.stopped
  const last = lastSlot(store, id)
  return {
    ...{ scheduleId: id, name, kind },
    ...(stopped === undefined ? {} : { stopped }),
    ...(next === undefined ? {} : { nextRunAt: toInstant(next.getTime() + jitter) }),
    ...(last === undefined ? {} : { last }),
  }
}

const became: Record<string, string> = {
  armed: 'due',
  asked: 'the server was asked',
  answered: 'its order is awaited',
}

function lastSlot(store: Store, scheduleId: string): { slot: string; became: string } | undefined {
  const row = store.one('select * from slots where schedule_id = ? order by slot desc limit 1', scheduleId)
  if (row === undefined) return undefined
  const slot = toInstant(Number(row.slot))
  if (row.state !== 'done') return { slot, became: became[String(row.state)] ?? String(row.state) }
  if (row.outcome !== 'fired') return { slot, became: `${String(row.outcome)}: ${String(row.reason)}` }
  const jobs = store.all(
    'select state, status from jobs where schedule_id = ? and slot = ? order by place',
    ...[scheduleId, row.slot as number],
  )
  const ends = jobs.map(job => String(job.status ?? job.state))
  return { slot, became: ends.length === 0 ? 'left to the server' : ends.join(', ') }
}

/** The plan for a person, as lines of a name and a value. */
export function describePlan(plan: PlanStatus): [string, string][] {
  const waiting = plan.waiting === undefined ? '' : `; version ${plan.waiting} waits for its configuration`
  const head = plan.version === 0 ? 'none yet' : `version ${plan.version}, applied ${plan.appliedAt}`
  return [
    ['Schedules', `${head}${waiting}`],
    ...plan.schedules.map(({ name, kind, stopped, nextRunAt, last }): [string, string] => {
      const next =
        nextRunAt === undefined ? `does not run by itself (${stopped ?? 'never due'})` : `next ${nextRunAt}`
      return [
        `  ${name}`,
        `${kind}, ${next}${last === undefined ? '' : `; last ${last.slot}: ${last.became}`}`,
      ]
    }),
    ...plan.rejected.map(({ scheduleId, code, reason }): [string, string] => [
      'Rejected',
      `${scheduleId} (${code}): ${reason}`,
    ]),
  ]
}
