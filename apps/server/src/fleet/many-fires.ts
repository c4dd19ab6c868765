// Slots that come due on many hosts at once, as at midnight: those that simply run take a few statements for all.
import { sql } from 'drizzle-orm'
import { type ScheduleFire, type ScheduleFireAnswer, specOfSchedule } from '@restic-manager/contract/schedule'
import { slotJobId } from '@restic-manager/contract/slots'
import type { Timing } from '@restic-manager/contract/timing'
import { isOneOf } from '../db/listed.ts'
import type { Db } from '../db/open.ts'
import { schedules } from '../db/schema.ts'
import { askedSessions } from './asked-sessions.ts'
import type { Sender } from './facts.ts'
import {
  decideFire,
  decideOwnRun,
  type FireKnowledge,
  type FireRuling,
  type KnownSlot,
  type OwnRunRuling,
} from './fire-decision.ts'
import { isBelieved, planAt } from './fire-plans.ts'
import { answersTo, heldFacts, isNewFact, takenFacts, type Told, toldBy } from './many-facts.ts'
import { type NewJob, queueJobs } from './new-jobs.ts'
import { recordTogether } from './own-runs.ts'
import { pauseOf } from './pauses.ts'
import { type AskedSlot, plainSlots } from './plain-slots.ts'
import { scheduleOf, type ScheduleRow } from './schedule-rows.ts'

export type Fire = { sender: Sender; fact: ScheduleFire; timing: Timing }

type Planned = { fire: Told<ScheduleFire>; wanted: WantedRun[] }
type WantedRun = NewJob & AskedSlot & { occurredAt: string }
/** `do`: what becomes of each job. */
type Ruled = {
  fire: Told<ScheduleFire>
  answer: ScheduleFireAnswer
  runs: (WantedRun & { do: FireRuling['do'] | OwnRunRuling['do'] })[]
}

/**
 * Queues the backups of slots of which nothing but their own job may be known here, and before which no older one waits: of schedules
 * that go on, on hosts with access to all of their repositories. Or records that their hosts run them. What was decided before is
 * answered. All are decided by the server, or none is. Leaves out every other, and whose host, plan, repository or job somebody else
 * holds.
 */
export async function fireTogether(
  db: Db,
  fires: readonly Fire[],
): Promise<(ScheduleFireAnswer | undefined)[]> {
  const [first] = fires
  if (first === undefined || fires.some(({ timing }) => timing !== first.timing)) return []
  const { timing } = first
  const told = fires.map(toldBy)
  const { ruled, taken } = await db.transaction(async tx => {
    const planned = await holdPlans(tx, told, timing)
    const asked = planned.flatMap(({ wanted }) => wanted)
    const slots = asked.length === 0 ? new Map<string, undefined>() : await plainSlots(tx, asked)
    const ruled = planned.flatMap(fire => ruleOn(fire, slots))
    if (ruled.length === 0) return { ruled, taken: [] }
    await act(
      tx,
      ruled.flatMap(({ runs }) => runs),
      timing,
    )
    return { ruled, taken: await takeFires(tx, ruled, timing) }
  })
  const answers = answersTo(
    ruled.map(({ fire }) => fire),
    taken,
    fire => fire,
  )
  const byFire = new Map(answers.map((fire, at) => [fire, ruled[at]?.answer]))
  return told.map(fire => byFire.get(fire))
}

/** What becomes of a slot; nothing where it has to be looked at with care. */
function ruleOn({ fire, wanted }: Planned, slots: ReadonlyMap<string, KnownSlot | undefined>): Ruled[] {
  const runs: Ruled['runs'] = []
  const answers: ScheduleFireAnswer['jobs'] = []
  for (const run of wanted) {
    const slot = slots.get(run.id)
    if (!slots.has(run.id)) return []
    const ruling = run.isOwn ? decideOwnRun(slot) : decideFire({ ...runsOnItsHost, row: slot })
    if (ruling.do === 'mark' || (ruling.do === 'take' && slot?.status !== 'queued')) return []
    runs.push({ ...run, do: ruling.do })
    const { id: jobId, repositoryId } = run
    const because = 'reason' in ruling ? { reason: ruling.reason } : {}
    answers.push({ jobId, repositoryId, decision: ruling.decision, ...because })
  }
  return [{ fire, runs, answer: { seq: fire.seq, jobs: answers } }]
}

async function act(tx: Db, runs: Ruled['runs'], timing: Timing) {
  const own = runs.filter(({ isOwn }) => isOwn)
  if (own.length > 0) await recordTogether(tx, own, timing)
  const wanted = runs.filter(each => each.do === 'queue')
  const made = await queueJobs(tx, wanted, timing)
  if (made.length < wanted.length) throw new Error('a slot that was free is taken')
}

type Held = { at: number; pausedAt: string | null; pausedUntil: string | null }

/** Takes the plans, and answers which jobs those slots come to that their host runs. */
async function holdPlans(tx: Db, told: readonly Told<ScheduleFire>[], timing: Timing): Promise<Planned[]> {
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
    const plan = planAt(fire.scheduledAt, { row, pause, timing })
    return decideFire({ ...runsOnItsHost, ...plan }).do === 'queue' ? [runOf(fire, row)] : []
  })
}

/** All that is known of a slot which simply runs. */
const runsOnItsHost: FireKnowledge = {
  ...{ plan: 'live', overlap: 'skip', newerFired: false, row: undefined, notRun: undefined },
  ...{ place: { elsewhere: false }, busy: false },
}

const datesOf = ({ pausedAt, pausedUntil }: Omit<Held, 'at'>) => ({
  pausedAt: pausedAt === null ? null : new Date(pausedAt),
  pausedUntil: pausedUntil === null ? null : new Date(pausedUntil),
})

const runOf = (fire: Told<ScheduleFire>, row: ScheduleRow, repositoryIds = row.repositoryIds): Planned => {
  const { hostId, kind, id: scheduleId } = row
  const { scheduledAt, occurredAt } = fire
  const spec = specOfSchedule(scheduleOf(row), { hostId })
  const wanted = repositoryIds.map(repositoryId => ({
    ...{ id: slotJobId(scheduleId, scheduledAt, repositoryId), hostId, repositoryId, kind, spec, scheduleId },
    ...{ scheduledFor: new Date(scheduledAt), isOwn: fire.decidedBy === 'agent', occurredAt },
  }))
  return { fire, wanted }
}

/** What a host runs by itself; none when it does not name its jobs, each once, by the ids that are derived. */
function ownRunOf(fire: Told<ScheduleFire>, row: ScheduleRow): Planned[] {
  const named = (fire.jobs ?? []).map(({ repositoryId }) => repositoryId.toLowerCase())
  const run = runOf(fire, row, named)
  const isDerived = run.wanted.every(({ id }, at) => id === fire.jobs?.[at]?.jobId.toLowerCase())
  return named.length > 0 && new Set(named).size === named.length && isDerived ? [run] : []
}

/** Commits that these fires arrived, and which slot of each schedule is the newest. */
const takeFires = (tx: Db, ruled: readonly Ruled[], { skewTrusted }: Timing) => {
  const fires = ruled.map(({ fire }) => ({
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
