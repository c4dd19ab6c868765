// What every write in a host's name begins with: the session fence, the ack of the fact, the job it speaks of.
import { and, eq, gte, isNull, lte, sql } from 'drizzle-orm'
import type { Fact } from '@restic-manager/contract/fact'
import { JobKind, type JobStatus } from '@restic-manager/contract/job'
import { Refusal } from '@restic-manager/contract/refusal'
import { slotJobId } from '@restic-manager/contract/slots'
import type { HostSession } from '../context.ts'
import type { Db } from '../db/open.ts'
import { hosts, jobs, repositories, schedules } from '../db/schema.ts'
import { spools } from '../db/schema-sessions.ts'
import { currentTimeline } from '../db/timeline.ts'
import { factsKept } from '../metrics.ts'
import type { ScheduleRow } from './schedule-rows.ts'
import { checkSlot } from './slot-rows.ts'

/** Whose fact it is, and out of which spool. */
export type Sender = HostSession & { spoolEpoch: string }

/**
 * True for the newest session of a host that is neither quarantined nor removed, on the timeline it began on: the condition of every
 * write in its name. A fact that came before hello had settled what a failover lost would hide the ones before it for good.
 */
export const isNewestSession = (host: HostSession) =>
  and(
    eq(hosts.id, host.id),
    eq(hosts.sessionNumber, host.session),
    sql`${currentTimeline} = ${host.timeline}`,
    isNull(hosts.quarantinedAt),
    isNull(hosts.removedAt),
  )

/**
 * Takes the host's row for the rest of the transaction, so that no newer session begins meanwhile. `change` when the
 * transaction will also update the row: two that share it could not both go on. Throws `session_fenced`.
 */
export async function holdHost(
  tx: Db,
  host: HostSession,
  lock: 'share' | 'change' = 'share',
): Promise<HeldHost> {
  const [held] = await tx
    .select({ pausedAt: hosts.pausedAt, pausedUntil: hosts.pausedUntil })
    .from(hosts)
    .where(isNewestSession(host))
    .for(lock === 'share' ? 'share' : 'no key update')
  if (held === undefined) throw fenced()
  return held
}

/** Whether its schedules rest, as long as its row is held. */
type HeldHost = { pausedAt: Date | null; pausedUntil: Date | null }

/** The refusal of a session that is no longer the newest of its host, or whose database was replaced by a standby. */
export const fenced = () => new Refusal('session_fenced', 'This session of the host is over. Dial again.')

/**
 * What every fact begins with, in one statement: takes the host's row as `holdHost` does, and commits with the transaction that the
 * fact arrived. `isNew` false: it was committed before, so all of it is already known. Throws `session_fenced`.
 */
export async function takeFact(
  tx: Db,
  sender: Sender,
  fact: Fact,
  lock: 'share' | 'change' = 'share',
): Promise<HeldHost & { isNew: boolean }> {
  const column = fact.lane === 'first' ? spools.ackedFirst : spools.ackedRest
  const held = tx.$with('held').as(
    tx
      .select({ pausedAt: hosts.pausedAt, pausedUntil: hosts.pausedUntil })
      .from(hosts)
      .where(isNewestSession(sender))
      .for(lock === 'share' ? 'share' : 'no key update'),
  )
  const name = sql.identifier(column.name)
  const kept = sql`insert into spools (host_id, epoch, ${name})
    select ${sender.id}::uuid, ${sender.spoolEpoch}::uuid, ${fact.seq}::bigint from held
    on conflict (host_id, epoch) do update set ${name} = excluded.${name} where spools.${name} < excluded.${name}
    returning epoch`
  const [taken] = await tx
    .with(held, tx.$with('kept', {}).as(kept))
    .select({
      pausedAt: held.pausedAt,
      pausedUntil: held.pausedUntil,
      isNew: sql<boolean>`exists (select 1 from kept)`,
    })
    .from(held)
  if (taken === undefined) throw fenced()
  if (taken.isNew) factsKept.inc({ lane: fact.lane })
  return taken
}

/** What a job's row says while a fact about it is being recorded. */
export type HeldJob = {
  kind: JobKind
  status: JobStatus
  reported: boolean
  cancelRequestedAt: Date | null
  acceptedAt: Date | null
}

type Header = {
  jobId: string
  kind: string
  repositoryId: string
  scheduleId?: string | undefined
  scheduledAt?: string | undefined
  retryOf?: string | undefined
}

/**
 * Takes the row of the job a fact speaks of. A job nobody here has heard of (an offline run, an older dump) becomes a row of
 * the sender, unless the fact says that it did not run (`ran` is false) and its slot was told as not run before: that is its
 * outcome already. Undefined: that, or unknown here and of a kind this server does not know. Throws `job_not_found` for another
 * host's, `bad_input` for a slot's job under an id that is not derived from it.
 */
export async function holdJob(
  tx: Db,
  sender: Sender,
  header: Header,
  { occurredAt, ran = true }: { occurredAt: string; ran?: boolean },
): Promise<HeldJob | undefined> {
  const known = await readJob(tx, sender, header.jobId)
  if (known !== undefined) return known
  if (!ran && (await isToldAsNotRun(tx, header))) return undefined
  const kind = JobKind.safeParse(header.kind)
  if (!kind.success) return undefined
  checkSlotJob(header)
  await tx
    .insert(jobs)
    .values({
      id: header.jobId,
      hostId: sender.id,
      repositoryId: header.repositoryId,
      kind: kind.data,
      status: 'queued',
      spec: {},
      // Not from our queue, so never to be ordered from it.
      decidedBy: 'agent',
      releasedAt: sql`now()`,
      forHostId: await checkSchedule(tx, sender, { ...header, kind: kind.data }),
      scheduleId: header.scheduleId ?? null,
      scheduledFor: header.scheduledAt === undefined ? null : new Date(header.scheduledAt),
      retryOf: header.retryOf ?? null,
      createdAt: sql`least(now(), ${occurredAt}::timestamptz)`,
    })
    .onConflictDoNothing()
  return readJob(tx, sender, header.jobId)
}

async function readJob(tx: Db, sender: Sender, jobId: string): Promise<HeldJob | undefined> {
  const [held] = await tx
    .select({
      hostId: jobs.hostId,
      kind: jobs.kind,
      status: jobs.status,
      reported: jobs.reported,
      cancelRequestedAt: jobs.cancelRequestedAt,
      acceptedAt: jobs.acceptedAt,
    })
    .from(jobs)
    .where(eq(jobs.id, jobId))
    .for('update')
  if (held !== undefined && held.hostId !== sender.id) throw new ForeignJob()
  return held
}

/** Whether the slot lies in a range that was told as not run: its row went when the range was put. */
async function isToldAsNotRun(tx: Db, { repositoryId, scheduleId, scheduledAt, retryOf }: Header) {
  if (scheduleId === undefined || scheduledAt === undefined || retryOf !== undefined) return false
  const slot = new Date(scheduledAt)
  const told = await tx
    .select({ id: jobs.id })
    .from(jobs)
    .where(
      and(
        eq(jobs.scheduleId, scheduleId),
        eq(jobs.repositoryId, repositoryId),
        isNull(jobs.retryOf),
        gte(jobs.scheduledFor, slot),
        lte(jobs.notRunFrom, slot),
      ),
    )
    .limit(1)
  return told.length > 0
}

/** One slot and repository, one id: a host cannot put another in its place. */
function checkSlotJob({ jobId, repositoryId, scheduleId, scheduledAt, retryOf }: Header) {
  if (scheduleId === undefined || scheduledAt === undefined || retryOf !== undefined) return
  checkSlot(scheduledAt)
  if (jobId.toLowerCase() !== slotJobId(scheduleId, scheduledAt, repositoryId))
    throw new Refusal('bad_input', `jobId: ${jobId} is not the id of this slot on this repository`)
}

/**
 * The host a job nobody here has heard of serves by its schedule, null when that is the sender itself. Another host's schedule may
 * only be named by who maintains the repository, for what it does there for others. Throws `schedule_not_found`.
 */
async function checkSchedule(
  tx: Db,
  sender: Sender,
  { scheduleId, repositoryId, kind }: Header,
): Promise<string | null> {
  if (scheduleId === undefined) return null
  const [schedule] = await tx
    .select({ hostId: schedules.hostId, kind: schedules.kind })
    .from(schedules)
    .where(eq(schedules.id, scheduleId))
  if (schedule === undefined || schedule.hostId === sender.id) return null
  const maintained = await tx
    .select({ id: repositories.id })
    .from(repositories)
    .where(and(eq(repositories.id, repositoryId), eq(repositories.maintenanceHostId, sender.id)))
  if (maintained.length === 0 || kind === 'backup' || kind !== schedule.kind) throw new ForeignSchedule()
  return schedule.hostId
}

/** Takes the row of a schedule for the rest of the transaction. Undefined: unknown here. Throws `schedule_not_found` for another host's. */
export async function holdSchedule(
  tx: Db,
  sender: Sender,
  scheduleId: string,
): Promise<ScheduleRow | undefined> {
  const [row] = await tx.select().from(schedules).where(eq(schedules.id, scheduleId)).for('no key update')
  if (row !== undefined && row.hostId !== sender.id) throw new ForeignSchedule()
  return row
}

/** The refusal of an id that belongs to another host. It says no more than for an id that does not exist. */
export class ForeignId extends Refusal {}

/** A job of another host. */
export class ForeignJob extends ForeignId {
  constructor() {
    super('job_not_found', 'This host has no such job.')
  }
}

/** A schedule of another host. */
export class ForeignSchedule extends ForeignId {
  constructor() {
    super('schedule_not_found', 'This host has no such schedule.')
  }
}
