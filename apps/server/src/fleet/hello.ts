// Hello: what the server learns when an agent connects, and what both then agree on.
import { and, eq, inArray, isNull, not, notInArray, or, type SQL, sql } from 'drizzle-orm'
import type { PgColumn } from 'drizzle-orm/pg-core'
import type { AgentHello, AgentWelcome } from '@restic-manager/contract/agent'
import { protocolComplaint, protocolWindow } from '@restic-manager/contract/protocol'
import { Refusal } from '@restic-manager/contract/refusal'
import { toInstant } from '@restic-manager/contract/scalars'
import type { Timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import type { HostSession } from '../context.ts'
import { telling } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { hosts, jobs, spools } from '../db/schema.ts'
import { fenced, isNewestSession } from './facts.ts'

/** How much telemetry one agent may send. */
const limits = {
  logBlockBytes: 64 * 1024,
  logFlushMs: 250,
  logBytesPerSecond: 1024 * 1024,
  progressIntervalMs: 1_000,
}

/** A version above this is no older dump but a lie, and following it would leave no number for the next change. */
const HIGHEST_BELIEVED_VERSION = 1_000_000_000

/** A list of this length may have been cut, so nothing follows from what is not in it. */
const FULL_LIST = 1_000

/**
 * Records who has connected, marks the host online and settles what each side believes of its jobs. Safe to call twice.
 * Throws `protocol_mismatch` or `session_fenced`.
 */
export async function greetAgent(
  db: Db,
  host: HostSession,
  hello: AgentHello,
  { serverVersion, timing, log }: { serverVersion: string; timing: Timing; log: Log },
): Promise<AgentWelcome> {
  const complaint = protocolComplaint(hello, serverVersion)
  if (complaint !== undefined) {
    log.warn(
      { hostId: host.id, agentVersion: hello.agentVersion, protocol: hello.protocolVersion },
      complaint,
    )
    throw new Refusal('protocol_mismatch', complaint)
  }
  const ackedSeq = await db.transaction(async tx => {
    const [greeted] = await tx
      .update(hosts)
      .set({
        hostname: hello.hostname,
        os: hello.os,
        arch: hello.arch,
        agentVersion: hello.agentVersion,
        resticVersion: hello.resticVersion,
        protocolVersion: hello.protocolVersion,
        timeZone: hello.timeZone,
        bootTime: hello.bootTime === undefined ? null : new Date(hello.bootTime),
        policy: hello.policy,
        spoolEpoch: hello.spoolEpoch,
        spoolResetAt: hello.spoolResetAt === undefined ? null : new Date(hello.spoolResetAt),
        online: true,
        connectedAt: sql`now()`,
        lastSeenAt: sql`now()`,
        appliedConfigVersion: hello.appliedConfigVersion,
        configVersion: raisedPast(hosts.configVersion, hello.appliedConfigVersion),
        appliedScheduleVersion: hello.appliedScheduleVersion,
        scheduleVersion: raisedPast(hosts.scheduleVersion, hello.appliedScheduleVersion),
      })
      .where(isNewestSession(host))
      .returning({
        told: telling('host', hosts.id),
        toldOfEnrolment: telling('enrolment', hosts.enrolmentId),
      })
    if (greeted === undefined) throw fenced()
    await settleJobs(tx, host.id, hello.knownJobs)
    return openSpool(tx, host.id, hello.spoolEpoch)
  })
  return {
    hostId: host.id,
    protocol: protocolWindow,
    serverVersion,
    serverTime: toInstant(Date.now()),
    ackedSeq,
    heartbeatIntervalMs: timing.heartbeat,
    limits,
  }
}

/** Applied above ours: this database comes from an older dump. Past it, so that the version never stands for two plans. */
const raisedPast = (ours: PgColumn, applied: number): SQL =>
  applied > HIGHEST_BELIEVED_VERSION
    ? sql`${ours}`
    : sql`case when ${ours} < ${applied} then ${applied}::integer + 1 else ${ours} end`

/**
 * Which of our guesses end when the agent says it has a job. One that waits here was taken on while the link was down: its fact is
 * on its way, but fires may overtake it. One that expired here is left to go on once restic runs. A wish of a person stands.
 */
const givesWayTo = (status: 'accepted' | 'running') =>
  or(
    eq(jobs.status, 'lost'),
    and(eq(jobs.status, 'queued'), isNull(jobs.cancelRequestedAt)),
    status === 'running'
      ? and(eq(jobs.status, 'expired'), not(jobs.reported), isNull(jobs.cancelRequestedBy))
      : undefined,
  )

/** Believed under way here and unknown there: lost, until a fact says otherwise. Lost or waiting here and known there: under way. */
async function settleJobs(tx: Db, hostId: string, known: AgentHello['knownJobs']) {
  const idsOf = (status: string) => known.filter(job => job.status === status).map(job => job.jobId)
  if (known.length < FULL_LIST)
    await tx
      .update(jobs)
      .set({ status: 'lost', reason: 'agent_lost_it' })
      .where(
        and(
          eq(jobs.hostId, hostId),
          // A slot the host runs by itself is accepted there as soon as it is told of.
          or(
            inArray(jobs.status, ['accepted', 'running']),
            and(eq(jobs.status, 'queued'), eq(jobs.decidedBy, 'agent')),
          ),
          notInArray(
            jobs.id,
            known.map(job => job.jobId),
          ),
        ),
      )
      .returning({ told: telling('job', jobs.id) })
  for (const status of ['accepted', 'running'] as const) {
    const ids = idsOf(status)
    if (ids.length === 0) continue
    await tx
      .update(jobs)
      .set({
        status,
        reason: null,
        finishedAt: null,
        acceptedAt: sql`coalesce(${jobs.acceptedAt}, now())`,
        cancelRequestedAt: sql`case when ${jobs.status} = 'expired' then null else ${jobs.cancelRequestedAt} end`,
      })
      .where(and(eq(jobs.hostId, hostId), inArray(jobs.id, ids), givesWayTo(status)))
      .returning({ told: telling('job', jobs.id) })
  }
}

/** How far this spool has been committed. A spool never heard of begins at nothing. */
async function openSpool(tx: Db, hostId: string, epoch: string) {
  const [spool] = await tx
    .insert(spools)
    .values({ hostId, epoch })
    .onConflictDoUpdate({ target: [spools.hostId, spools.epoch], set: { epoch } })
    .returning({ first: spools.ackedFirst, rest: spools.ackedRest })
  if (spool === undefined) throw new Error('a spool that was just written is not there')
  return spool
}
