// Slots that come due on many hosts at once, as at midnight: those that simply run take a few statements for all.
import { sql } from 'drizzle-orm'
import { type ScheduleFire, type ScheduleFireAnswer, specOfSchedule } from '@restic-manager/contract/schedule'
import { slotJobId } from '@restic-manager/contract/slots'
import type { Timing } from '@restic-manager/contract/timing'
import { telling } from '../db/bus.ts'
import { isOneOf } from '../db/listed.ts'
import type { Db } from '../db/open.ts'
import { schedules } from '../db/schema.ts'
import { askedSessions } from './asked-sessions.ts'
import { dispatch } from './dispatch.ts'
import type { Sender } from './facts.ts'
import { decideFire } from './fire-decision.ts'
import { isBelieved, planAt } from './fire-plans.ts'
import { answersTo, heldFacts, isNewFact, takenFacts, type Told, toldBy } from './many-facts.ts'
import { type NewJob, queueJobs } from './new-jobs.ts'
import { pauseOf } from './pauses.ts'
import { scheduleOf, type ScheduleRow } from './schedule-rows.ts'

export type Fire = { sender: Sender; fact: ScheduleFire; timing: Timing }

type Run = NewJob & { isOwn: boolean; occurredAt: string }
type Queued = { fire: Told<ScheduleFire>; answer: ScheduleFireAnswer; wanted: Run[] }

/**
 * Queues the backups of slots that nobody here knows anything of yet and before which no older one waits: of schedules that go on, on
 * hosts with access to all of their repositories, or records that their hosts run them. All are decided by the server, or none is.
 * Leaves out every other, and whose host, plan or repository somebody else holds.
 */
export async function fireTogether(
  db: Db,
  fires: readonly Fire[],
): Promise<(ScheduleFireAnswer | undefined)[]> {
  const [first] = fires
  if (first === undefined || fires.some(({ timing }) => timing !== first.timing)) return []
  const { timing } = first
  const told = fires.map(toldBy)
  const { queued, taken } = await db.transaction(async tx => {
    const planned = await holdPlans(tx, told, timing)
    const free = planned.length === 0 ? new Set() : await freeSlots(tx, planned)
    const queued = planned.filter(({ wanted }) => wanted.every(({ id }) => free.has(id)))
    if (queued.length === 0) return { queued, taken: [] }
    const wanted = queued.flatMap(each => each.wanted)
    const made = wanted.some(({ isOwn }) => isOwn)
      ? await recordRuns(tx, wanted, timing)
      : await queueJobs(tx, wanted, timing)
    if (made.length < wanted.length) throw new Error('a slot that was free is taken')
    return { queued, taken: await takeFires(tx, queued, timing) }
  })
  const answers = answersTo(
    queued.map(({ fire }) => fire),
    taken,
    fire => fire,
  )
  const byFire = new Map(answers.map((fire, at) => [fire, queued[at]?.answer]))
  return told.map(fire => byFire.get(fire))
}

type Held = { at: number; pausedAt: string | null; pausedUntil: string | null }

/** Takes the plans, and answers what those slots come to that simply run. */
async function holdPlans(tx: Db, told: readonly Told<ScheduleFire>[], timing: Timing): Promise<Queued[]> {
  const held = await tx.execute<Held>(sql`
    with ${heldFacts(told, sql`, "scheduleId" uuid`, { alone: false, lock: 'share' })}
    select held.at, hosts.paused_at as "pausedAt", hosts.paused_until as "pausedUntil"
    from schedules join held on held."scheduleId" = schedules.id and held.id = schedules.host_id
    join hosts on hosts.id = held.id
    where schedules.kind = 'backup'
    order by schedules.id for no key update of schedules skip locked`)
  if (held.length === 0) return []
  const fires = held.flatMap(({ at, ...paused }) => {
    const fire = told[at]
    return fire === undefined ? [] : [{ fire, pause: pauseOf(datesOf(paused)) }]
  })
  const ids = fires.map(({ fire }) => fire.scheduleId)
  const rows = await tx.select().from(schedules).where(isOneOf(schedules.id, ids))
  const byId = new Map(rows.map(row => [row.id, row]))
  return fires.flatMap(({ fire, pause }) => {
    const row = byId.get(fire.scheduleId.toLowerCase())
    if (row === undefined) return []
    if (fire.decidedBy === 'agent') return ownRunOf(fire, row)
    const knowledge = planAt(fire.scheduledAt, { row, pause, timing })
    const place = { elsewhere: false }
    const ruling = decideFire({ ...knowledge, row: undefined, notRun: undefined, place, busy: false })
    return ruling.do === 'queue' ? [runOf(fire, row)] : []
  })
}

const datesOf = ({ pausedAt, pausedUntil }: Omit<Held, 'at'>) => ({
  pausedAt: pausedAt === null ? null : new Date(pausedAt),
  pausedUntil: pausedUntil === null ? null : new Date(pausedUntil),
})

const runOf = (fire: Told<ScheduleFire>, row: ScheduleRow, repositoryIds = row.repositoryIds): Queued => {
  const { hostId, kind, id: scheduleId } = row
  const { scheduledAt, occurredAt, seq } = fire
  const spec = specOfSchedule(scheduleOf(row), { hostId })
  const wanted = repositoryIds.map(repositoryId => ({
    ...{ id: slotJobId(scheduleId, scheduledAt, repositoryId), hostId, repositoryId, kind, spec, scheduleId },
    ...{ scheduledFor: new Date(scheduledAt), isOwn: fire.decidedBy === 'agent', occurredAt },
  }))
  const jobs = wanted.map(({ id: jobId, repositoryId }) => ({
    jobId,
    repositoryId,
    decision: 'queued' as const,
  }))
  return { fire, answer: { seq, jobs }, wanted }
}

/** What a host runs by itself; none when it does not name its jobs, each once, by the ids that are derived. */
function ownRunOf(fire: Told<ScheduleFire>, row: ScheduleRow): Queued[] {
  const named = (fire.jobs ?? []).map(({ repositoryId }) => repositoryId.toLowerCase())
  const run = runOf(fire, row, named)
  const isDerived = run.wanted.every(({ id }, at) => id === fire.jobs?.[at]?.jobId.toLowerCase())
  return named.length > 0 && new Set(named).size === named.length && isDerived ? [run] : []
}

/** Records runs of hosts by themselves, and lets go what waited behind them. Answers the ids made. */
async function recordRuns(tx: Db, wanted: readonly Run[], timing: Timing): Promise<string[]> {
  const made = await tx.execute<{ id: string }>(sql`
    insert into jobs (id, host_id, repository_id, kind, status, spec, decided_by, released_at, schedule_id, scheduled_for, created_at)
    select id, "hostId", "repositoryId", kind, 'queued', spec, 'agent', now(), "scheduleId", "scheduledFor", least(now(), "occurredAt")
    from jsonb_to_recordset(${JSON.stringify(wanted)}::jsonb) as wanted(id uuid, "hostId" uuid, "repositoryId" uuid, kind text,
      spec jsonb, "scheduleId" uuid, "scheduledFor" timestamptz, "occurredAt" timestamptz)
    order by id
    on conflict do nothing returning id, ${telling('job', sql`id`)}, ${telling('host', sql`host_id`)}`)
  await dispatch(tx, [...new Set(wanted.map(({ repositoryId }) => repositoryId))], timing)
  return made.map(({ id }) => id)
}

/** Which of these jobs may run, with no word of the slot yet and no older one that waits. Takes the repositories. */
async function freeSlots(tx: Db, planned: readonly Queued[]): Promise<Set<string>> {
  const wanted = planned.flatMap(each => each.wanted)
  const free = await tx.execute<{ id: string }>(sql`
    select wanted.id from repositories join jsonb_to_recordset(${JSON.stringify(wanted)}::jsonb) as wanted(id uuid, "hostId" uuid,
      "repositoryId" uuid, "scheduleId" uuid, "scheduledFor" timestamptz, "isOwn" boolean) on wanted."repositoryId" = repositories.id
    where (wanted."isOwn" or exists (select from host_repositories
        where host_repositories.host_id = wanted."hostId" and host_repositories.repository_id = repositories.id))
      and not exists (select from jobs where jobs.id = wanted.id)
      and not exists (select from jobs where jobs.schedule_id = wanted."scheduleId" and jobs.retry_of is null
        and jobs.scheduled_for >= wanted."scheduledFor" and coalesce(jobs.not_run_from, jobs.scheduled_for) <= wanted."scheduledFor")
      and not exists (select from jobs where jobs.host_id = wanted."hostId" and jobs.status = 'queued'
        and jobs.schedule_id = wanted."scheduleId" and jobs.repository_id = repositories.id
        and jobs.scheduled_for < wanted."scheduledFor")
    order by repositories.id for key share of repositories skip locked`)
  return new Set(free.map(({ id }) => id))
}

/** Commits that these fires arrived, and which slot of each schedule is the newest. */
const takeFires = (tx: Db, queued: readonly Queued[], { skewTrusted }: Timing) => {
  const fires = queued.map(({ fire }) => ({
    ...fire,
    isBelieved: isBelieved(fire.scheduledAt, skewTrusted),
  }))
  const columns = sql`, "spoolEpoch" uuid, lane text, seq bigint, "scheduleId" uuid, "scheduledAt" timestamptz, "isBelieved" boolean`
  return tx.execute<{ at: number; isNew: boolean }>(sql`
    with known as materialized (select * from ${askedSessions(fires, columns)}), ${takenFacts}, newest as (
      update schedules set newest_fire_for = known."scheduledAt" from known
      where schedules.id = known."scheduleId" and known."isBelieved"
        and (schedules.newest_fire_for is null or schedules.newest_fire_for < known."scheduledAt")
    )
    select known.at, ${isNewFact} as "isNew" from known`)
}
