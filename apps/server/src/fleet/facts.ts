// What every write in a host's name begins with: the session fence, the ack of the fact, the job it speaks of.
import { and, eq, isNull, lt, sql } from 'drizzle-orm'
import type { Fact } from '@restic-manager/contract/fact'
import { JobKind, type JobStatus } from '@restic-manager/contract/job'
import { Refusal } from '@restic-manager/contract/refusal'
import type { HostSession } from '../context.ts'
import type { Db } from '../db/open.ts'
import { hosts, jobs, spools } from '../db/schema.ts'

/** Whose fact it is, and out of which spool. */
export type Sender = HostSession & { spoolEpoch: string }

/** True for the newest session of a host that is neither quarantined nor removed: the condition of every write in its name. */
export const isNewestSession = (host: HostSession) =>
  and(
    eq(hosts.id, host.id),
    eq(hosts.sessionNumber, host.session),
    isNull(hosts.quarantinedAt),
    isNull(hosts.removedAt),
  )

/**
 * Takes the host's row for the rest of the transaction, so that no newer session begins meanwhile. `change` when the
 * transaction will also update the row: two that share it could not both go on. Throws `session_fenced`.
 */
export async function holdHost(tx: Db, host: HostSession, lock: 'share' | 'change' = 'share'): Promise<void> {
  const held = await tx
    .select({ id: hosts.id })
    .from(hosts)
    .where(isNewestSession(host))
    .for(lock === 'share' ? 'share' : 'no key update')
  if (held.length === 0) throw fenced()
}

/** The refusal of a session that is no longer the newest of its host. */
export const fenced = () =>
  new Refusal('session_fenced', 'A newer session of this host has begun. Dial again.')

/** Commits with the transaction that the fact arrived. False: it was committed before, so all of it is already known. */
export async function keepFact(tx: Db, sender: Sender, fact: Fact): Promise<boolean> {
  const column = fact.lane === 'first' ? spools.ackedFirst : spools.ackedRest
  const advance = fact.lane === 'first' ? { ackedFirst: fact.seq } : { ackedRest: fact.seq }
  const fresh = await tx
    .insert(spools)
    .values({ hostId: sender.id, epoch: sender.spoolEpoch, ...advance })
    .onConflictDoUpdate({
      target: [spools.hostId, spools.epoch],
      set: advance,
      setWhere: lt(column, fact.seq),
    })
    .returning({ epoch: spools.epoch })
  return fresh.length === 1
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
 * the sender. Undefined: unknown here, and of a kind this server does not know. Throws `job_not_found` for another host's.
 */
export async function holdJob(
  tx: Db,
  sender: Sender,
  header: Header,
  occurredAt: string,
): Promise<HeldJob | undefined> {
  const kind = JobKind.safeParse(header.kind)
  if (kind.success)
    await tx
      .insert(jobs)
      .values({
        id: header.jobId,
        hostId: sender.id,
        repositoryId: header.repositoryId,
        kind: kind.data,
        status: 'queued',
        spec: {},
        scheduleId: header.scheduleId ?? null,
        scheduledFor: header.scheduledAt === undefined ? null : new Date(header.scheduledAt),
        retryOf: header.retryOf ?? null,
        createdAt: sql`least(now(), ${occurredAt}::timestamptz)`,
      })
      .onConflictDoNothing()
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
    .where(eq(jobs.id, header.jobId))
    .for('update')
  if (held === undefined) return undefined
  if (held.hostId !== sender.id) throw new ForeignJob()
  return held
}

/** The refusal of an id that belongs to another host. It says no more than for an id that does not exist. */
export class ForeignJob extends Refusal {
  constructor() {
    super('job_not_found', 'This host has no such job.')
  }
}
