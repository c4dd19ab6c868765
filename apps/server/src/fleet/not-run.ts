// Slots that did not run, told by their host as a range: one row for each repository takes the place of our guesses.
import { and, desc, eq, gte, inArray, isNull, lte, or, type SQL, sql } from 'drizzle-orm'
import type { Ack } from '@restic-manager/contract/fact'
import type { JobKind } from '@restic-manager/contract/job'
import { Refusal } from '@restic-manager/contract/refusal'
import type { ScheduleNotRun } from '@restic-manager/contract/schedule'
import { slotJobId } from '@restic-manager/contract/slots'
import type { Timing } from '@restic-manager/contract/timing'
import { notify } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { jobs } from '../db/schema.ts'
import { dispatch } from './dispatch.ts'
import { holdSchedule, takeFact, type Sender } from './facts.ts'
import { checkSlot } from './slot-rows.ts'

const MINUTE_MS = 60_000

/**
 * Records slots that did not run. What really ran in the range, or was reported before, stays as it is. Safe to deliver twice.
 * Throws `session_fenced`, `bad_input` for a range that is none, `schedule_not_found` for another host's schedule.
 */
export async function keepNotRun(db: Db, sender: Sender, fact: ScheduleNotRun, timing: Timing): Promise<Ack> {
  checkSlot(fact.from)
  checkSlot(fact.to)
  if (fact.from > fact.to) throw new Refusal('bad_input', 'from: is later than to')
  const repositoryIds = [...new Set(fact.repositoryIds.map(id => id.toLowerCase()))]
  return db.transaction(async tx => {
    await takeFact(tx, sender, fact)
    const row = await holdSchedule(tx, sender, fact.scheduleId)
    const kind = row?.kind ?? (await kindOfUnknown(tx, fact.scheduleId))
    await dropGuesses(tx, sender, { ...fact, from: fact.to }, repositoryIds)
    for (const repositoryId of repositoryIds) await putRange(tx, sender, fact, { repositoryId, kind })
    await dropGuesses(tx, sender, fact, repositoryIds, isInRange)
    await notify(tx, 'host', sender.id)
    await dispatch(tx, repositoryIds, timing)
    return { seq: fact.seq }
  })
}

/** Of a schedule that is no longer known, its other jobs may say what it was. Backups are what is planned most. */
async function kindOfUnknown(tx: Db, scheduleId: string): Promise<JobKind> {
  const [job] = await tx
    .select({ kind: jobs.kind })
    .from(jobs)
    .where(eq(jobs.scheduleId, scheduleId))
    .orderBy(desc(jobs.createdAt))
    .limit(1)
  return job?.kind ?? 'backup'
}

/** Only what a range says now may go: where none could be put, our guess is still the slot's outcome. */
const isInRange = sql`exists (select 1 from jobs told
  where told.schedule_id = jobs.schedule_id and told.repository_id = jobs.repository_id and told.retry_of is null
    and told.scheduled_for > jobs.scheduled_for and told.not_run_from <= jobs.scheduled_for)`

/**
 * What we only guessed of these slots goes, also an order the host has not taken on. One that was let go on another host stays: that
 * host may be about to run it.
 */
async function dropGuesses(
  tx: Db,
  sender: Sender,
  fact: ScheduleNotRun,
  repositoryIds: string[],
  which?: SQL,
) {
  await tx
    .delete(jobs)
    .where(
      and(
        eq(jobs.scheduleId, fact.scheduleId),
        inArray(jobs.repositoryId, repositoryIds),
        gte(jobs.scheduledFor, new Date(fact.from)),
        lte(jobs.scheduledFor, new Date(fact.to)),
        which,
        isNull(jobs.retryOf),
        eq(jobs.reported, false),
        inArray(jobs.status, ['missed', 'skipped', 'queued']),
        or(eq(jobs.hostId, sender.id), and(eq(jobs.forHostId, sender.id), isNull(jobs.releasedAt))),
      ),
    )
}

/** The range stands under its newest slot. When that slot ran after all, or was told of before by another range, nothing is put over it. */
async function putRange(
  tx: Db,
  sender: Sender,
  fact: ScheduleNotRun,
  { repositoryId, kind }: { repositoryId: string; kind: JobKind },
) {
  const [from, to] = [new Date(fact.from), new Date(fact.to)]
  const [made] = await tx
    .insert(jobs)
    .values({
      id: slotJobId(fact.scheduleId, fact.to, repositoryId),
      hostId: sender.id,
      repositoryId,
      kind,
      status: fact.outcome,
      reported: true,
      reason: fact.reason,
      spec: {},
      scheduleId: fact.scheduleId,
      scheduledFor: to,
      notRunFrom: from,
      slotCount: Math.min(fact.count, (to.getTime() - from.getTime()) / MINUTE_MS + 1),
      createdAt: sql`least(now(), ${fact.to}::timestamptz)`,
    })
    .onConflictDoNothing()
    .returning({ id: jobs.id })
  if (made !== undefined) await notify(tx, 'job', made.id)
}
