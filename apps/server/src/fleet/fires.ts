// A slot came due on its host: the server decides what becomes of it, or records what the host decided by itself.
import { and, eq, inArray, isNull, lt, or, sql } from 'drizzle-orm'
import {
  type HostPause,
  type ScheduleFire,
  type ScheduleFireAnswer,
  specOfSchedule,
} from '@restic-manager/contract/schedule'
import { slotJobId } from '@restic-manager/contract/slots'
import type { Timing } from '@restic-manager/contract/timing'
import { notifyAll } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { jobs, schedules } from '../db/schema.ts'
import { holdSchedule, takeFact, type Sender } from './facts.ts'
import { decideFire, type FireKnowledge, type FireRuling } from './fire-decision.ts'
import { isBelieved, planAt } from './fire-plans.ts'
import { type Fire, fireTogether } from './many-fires.ts'
import { tellTogether } from './many-facts.ts'
import { type NewJob, queueJobs } from './new-jobs.ts'
import { recordOwnRuns } from './own-runs.ts'
import { pauseOf } from './pauses.ts'
import { type NoPlace, type Place, placeJob } from './placement.ts'
import { nextPart } from './rotation.ts'
import { scheduleOf, type ScheduleRow } from './schedule-rows.ts'
import { checkSlot, readSlot, type Slot } from './slot-rows.ts'
import { supersede } from './superseding.ts'

type Answer = ScheduleFireAnswer['jobs'][number]

/**
 * A slot came due. Answers what becomes of it on each repository; a repeat gets the same answer. Throws `session_fenced`,
 * `bad_input` for ids that are not derived as they must be, `schedule_not_found` for another host's schedule.
 */
export async function fireSchedule(
  db: Db,
  sender: Sender,
  fact: ScheduleFire,
  timing: Timing,
): Promise<ScheduleFireAnswer> {
  checkSlot(fact.scheduledAt)
  const tell = fact.decidedBy === 'agent' ? tellOwnRun : tellFire
  return tell(db, { sender, fact, timing })
}

/** As `fireSchedule`, one host in one transaction. */
export const fireCarefully = (db: Db, { sender, fact, timing }: Fire): Promise<ScheduleFireAnswer> =>
  db.transaction(async tx => {
    const pause = pauseOf(await takeFact(tx, sender, fact))
    const row = await holdSchedule(tx, sender, fact.scheduleId)
    const jobsOfFire =
      fact.decidedBy === 'agent'
        ? await recordOwnRuns(tx, sender, fact, { row, timing })
        : row === undefined
          ? []
          : await decideSlot(tx, sender, fact, { row, timing, pause })
    if (row !== undefined) await keepNewest(tx, row, fact, timing)
    return { seq: fact.seq, jobs: jobsOfFire }
  })

const tellFire = tellTogether(fireTogether, fireCarefully)
/** Apart from the others, so that the lines of a transaction are taken in one order. */
const tellOwnRun = tellTogether(fireTogether, fireCarefully)

type Context = { row: ScheduleRow; timing: Timing; pause: HostPause | undefined }
type Ruled = { repositoryId: string; jobId: string; place: Place | NoPlace; ruling: FireRuling }

/** What becomes of the slot as the schedule is now. */
async function decideSlot(tx: Db, sender: Sender, fire: ScheduleFire, context: Context): Promise<Answer[]> {
  const { row } = context
  const slot = await readSlot(tx, { scheduleId: row.id, hostId: sender.id, at: fire.scheduledAt })
  const ruled: Ruled[] = []
  for (const repositoryId of row.repositoryIds) {
    const place = await placeJob(tx, { kind: row.kind, hostId: row.hostId, repositoryId })
    const ruling = decideFire(await knowledgeOf(tx, fire, { ...context, slot, repositoryId, place }))
    ruled.push({ repositoryId, jobId: slotJobId(row.id, fire.scheduledAt, repositoryId), place, ruling })
  }
  await recordSkips(tx, fire, row, ruled)
  await queueRuns(tx, fire, context, ruled)
  return ruled.map(answerOf)
}

function answerOf({ repositoryId, jobId, ruling }: Ruled): Answer {
  const answer = { jobId, repositoryId, decision: ruling.decision }
  return 'reason' in ruling ? Object.assign(answer, { reason: ruling.reason }) : answer
}

type Question = Context & { slot: Slot; repositoryId: string; place: Place | NoPlace }

async function knowledgeOf(
  tx: Db,
  { scheduledAt }: ScheduleFire,
  { row, timing, pause, slot, repositoryId, place }: Question,
): Promise<FireKnowledge> {
  const refusals = {
    no_maintenance_host: 'no_maintenance_host',
    repository_not_on_host: 'configuration_missing',
  } as const
  const elsewhere = 'hostId' in place && place.hostId !== row.hostId
  return {
    ...planAt(scheduledAt, { row, timing, pause }),
    ...slot.of(repositoryId),
    place: 'refused' in place ? { refused: refusals[place.refused] } : { elsewhere },
    busy: elsewhere && (await isUnderWay(tx, { scheduleId: row.id, repositoryId, hostId: place.hostId })),
  }
}

async function isUnderWay(tx: Db, job: { scheduleId: string; repositoryId: string; hostId: string }) {
  const found = await tx
    .select({ id: jobs.id })
    .from(jobs)
    .where(
      and(
        eq(jobs.hostId, job.hostId),
        inArray(jobs.status, ['accepted', 'running']),
        eq(jobs.scheduleId, job.scheduleId),
        eq(jobs.repositoryId, job.repositoryId),
      ),
    )
    .limit(1)
  return found.length > 0
}

/** Every slot ends in a row, also one that does not run. Only our guess that it was missed gives way. */
async function recordSkips(tx: Db, fire: ScheduleFire, row: ScheduleRow, ruled: readonly Ruled[]) {
  for (const { repositoryId, jobId, ruling } of ruled) {
    if (ruling.do !== 'skip') continue
    const outcome = { status: 'skipped', reason: ruling.reason, finishedAt: sql`now()` } as const
    await tx
      .insert(jobs)
      .values({
        id: jobId,
        hostId: row.hostId,
        repositoryId,
        kind: row.kind,
        spec: {},
        scheduleId: row.id,
        scheduledFor: new Date(fire.scheduledAt),
        createdAt: sql`least(now(), ${fire.occurredAt}::timestamptz)`,
        ...outcome,
      })
      .onConflictDoUpdate({
        target: jobs.id,
        set: outcome,
        setWhere: sql`${jobs.status} = 'missed' and not ${jobs.reported}`,
      })
    await notifyAll(tx, { job: [jobId], host: [row.hostId] })
  }
}

async function queueRuns(tx: Db, fire: ScheduleFire, { row, timing }: Context, ruled: readonly Ruled[]) {
  const runs = ruled.filter(({ ruling }) => ruling.do === 'queue')
  if (runs.length === 0) return
  const rotation = row.definition.options?.readRotation
  const part = rotation === undefined ? undefined : await nextPart(tx, row.id, rotation)
  const spec = specOfSchedule(scheduleOf(row), {
    hostId: row.hostId,
    ...(part === undefined ? {} : { part }),
  })
  const wanted = runs.flatMap(({ jobId, repositoryId, place }): NewJob[] =>
    'refused' in place
      ? []
      : [
          {
            ...place,
            id: jobId,
            repositoryId,
            kind: row.kind,
            spec,
            scheduleId: row.id,
            scheduledFor: new Date(fire.scheduledAt),
          },
        ],
  )
  for (const { hostId, repositoryId } of wanted)
    await supersede(tx, { row, hostId, repositoryId, before: fire.scheduledAt })
  await queueJobs(tx, wanted, timing)
}

/** The newest slot that was fired. One that lies ahead of time is not believed: the host's clock may still be put right. */
async function keepNewest(tx: Db, row: ScheduleRow, { scheduledAt }: ScheduleFire, { skewTrusted }: Timing) {
  if (!isBelieved(scheduledAt, skewTrusted)) return
  await tx
    .update(schedules)
    .set({ newestFireFor: new Date(scheduledAt) })
    .where(
      and(
        eq(schedules.id, row.id),
        or(isNull(schedules.newestFireFor), lt(schedules.newestFireFor, new Date(scheduledAt))),
      ),
    )
}
