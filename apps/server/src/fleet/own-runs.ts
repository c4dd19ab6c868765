// Slots a host ran by itself while the server was away: recorded, never ordered.
import { and, eq, inArray, not, sql } from 'drizzle-orm'
import { Refusal } from '@restic-manager/contract/refusal'
import { type ScheduleFire, type ScheduleFireAnswer, specOfSchedule } from '@restic-manager/contract/schedule'
import { slotJobId } from '@restic-manager/contract/slots'
import type { Timing } from '@restic-manager/contract/timing'
import { notify, telling } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { jobs } from '../db/schema.ts'
import { dispatch } from './dispatch.ts'
import type { Sender } from './facts.ts'
import { decideOwnRun, type OwnRunRuling } from './fire-decision.ts'
import { scheduleOf, type ScheduleRow } from './schedule-rows.ts'
import type { NewJob } from './new-jobs.ts'
import { readSlot } from './slot-rows.ts'
import { supersede } from './superseding.ts'

/**
 * Records what a host decided by itself, also for a schedule that was deleted or paused meanwhile. Of a schedule nobody here knows
 * the kind is not known either: its jobs' own facts, which follow, make the rows. Throws `bad_input` for an id that is not derived.
 */
export async function recordOwnRuns(
  tx: Db,
  sender: Sender,
  fire: ScheduleFire,
  { row, timing }: { row: ScheduleRow | undefined; timing: Timing },
): Promise<ScheduleFireAnswer['jobs']> {
  const named = checkDerived(fire)
  if (row === undefined) return named.map(job => ({ ...job, decision: 'queued' as const }))
  const slot = await readSlot(tx, { scheduleId: row.id, hostId: sender.id, at: fire.scheduledAt })
  const answers: ScheduleFireAnswer['jobs'] = []
  for (const { jobId, repositoryId } of named) {
    const ruling = decideOwnRun(slot.of(repositoryId).row)
    await recordOwnRun(tx, fire, { row, jobId, repositoryId, ruling })
    await supersede(tx, { row, hostId: row.hostId, repositoryId, before: fire.scheduledAt })
    answers.push({ jobId, repositoryId, decision: ruling.decision })
  }
  await forgetGuesses(
    tx,
    fire,
    row.id,
    named.map(({ repositoryId }) => repositoryId),
  )
  await notify(tx, 'host', sender.id)
  // What waited behind a job that is now the host's own, or was superseded, may go.
  await dispatch(
    tx,
    answers.map(({ repositoryId }) => repositoryId),
    timing,
  )
  return answers
}

/** Each job once, its id derived again here. */
function checkDerived({ scheduleId, scheduledAt, jobs: said = [] }: ScheduleFire) {
  if (said.length === 0)
    throw new Refusal('bad_input', 'jobs: a host that runs a slot by itself names its jobs')
  const named = new Map(
    said.map(({ jobId, repositoryId }) => [repositoryId.toLowerCase(), jobId.toLowerCase()]),
  )
  return [...named].map(([repositoryId, jobId]) => {
    if (jobId !== slotJobId(scheduleId, scheduledAt, repositoryId))
      throw new Refusal('bad_input', `jobs: ${jobId} is not the id of this slot on ${repositoryId}`)
    return { jobId, repositoryId }
  })
}

type OwnRun = { row: ScheduleRow; jobId: string; repositoryId: string; ruling: OwnRunRuling }

async function recordOwnRun(tx: Db, fire: ScheduleFire, { row, jobId, repositoryId, ruling }: OwnRun) {
  if (ruling.do === 'leave') return
  const own = {
    hostId: row.hostId,
    decidedBy: 'agent',
    releasedAt: sql`now()`,
    expiresAt: null,
    waitsForJobId: null,
    notBefore: null,
    elevated: false,
    forHostId: null,
  } as const
  if (ruling.do === 'record')
    await tx
      .insert(jobs)
      .values({
        ...own,
        id: jobId,
        repositoryId,
        kind: row.kind,
        status: 'queued',
        spec: specOfSchedule(scheduleOf(row), { hostId: row.hostId }),
        scheduleId: row.id,
        scheduledFor: new Date(fire.scheduledAt),
        createdAt: sql`least(now(), ${fire.occurredAt}::timestamptz)`,
      })
      .onConflictDoNothing()
  else {
    const taken = { status: 'queued', reason: null, finishedAt: null } as const
    await tx
      .update(jobs)
      .set({ ...own, ...(ruling.do === 'take' ? taken : {}) })
      .where(and(eq(jobs.id, jobId), not(jobs.reported)))
  }
  await notify(tx, 'job', jobId)
}

/** The host spoke of every repository it knew of: that others were missed was only our guess, from a plan it had not got yet. */
async function forgetGuesses(tx: Db, fire: ScheduleFire, scheduleId: string, spokenOf: string[]) {
  await tx
    .delete(jobs)
    .where(
      and(
        eq(jobs.scheduleId, scheduleId),
        eq(jobs.scheduledFor, new Date(fire.scheduledAt)),
        eq(jobs.status, 'missed'),
        not(jobs.reported),
        not(inArray(jobs.repositoryId, spokenOf)),
      ),
    )
}

/** A run that a host decided by itself, of a slot of which nothing but its own job may be known. */
export type OwnRunTold = NewJob & { do: string; occurredAt: string }

/**
 * As `recordOwnRuns`, of many hosts, when all that is to be done is to make rows, to take those that are queued, or to leave them.
 * Throws when one is there that was not.
 */
export async function recordTogether(tx: Db, runs: readonly OwnRunTold[], timing: Timing): Promise<void> {
  const done = await tx.execute<{ id: string | null }>(sql`
    with told as materialized (
      select * from jsonb_to_recordset(${JSON.stringify(runs)}::jsonb) as told(id uuid, "do" text, "hostId" uuid, "repositoryId" uuid,
        kind text, spec jsonb, "scheduleId" uuid, "scheduledFor" timestamptz, "occurredAt" timestamptz)
    ), made as (
      insert into jobs (id, host_id, repository_id, kind, status, spec, decided_by, released_at, schedule_id, scheduled_for, created_at)
      select id, "hostId", "repositoryId", kind, 'queued', spec, 'agent', now(), "scheduleId", "scheduledFor", least(now(), "occurredAt")
      from told where "do" = 'record' order by id
      on conflict do nothing returning id
    ), took as (
      update jobs set status = 'queued', decided_by = 'agent', released_at = now(), expires_at = null, waits_for_job_id = null,
        not_before = null, elevated = false, for_host_id = null, reason = null, finished_at = null
      from told where told."do" = 'take' and jobs.id = told.id and not jobs.reported
      returning jobs.id
    ), changed as (select id from made union all select id from took)
    select changed.id, ${telling('job', sql`changed.id`)}, ${telling('host', sql`told."hostId"`)}
    from told left join changed on changed.id = told.id`)
  const wanted = runs.filter(run => run.do !== 'leave')
  if (done.filter(({ id }) => id !== null).length < wanted.length)
    throw new Error('a slot that was free is taken')
  await dispatch(tx, [...new Set(runs.map(({ repositoryId }) => repositoryId))], timing)
}
