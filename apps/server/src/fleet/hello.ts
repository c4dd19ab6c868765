// Hello: what the server learns when an agent connects, and what both then agree on.
import { type SQL, sql } from 'drizzle-orm'
import type { AgentHello, AgentWelcome } from '@restic-manager/contract/agent'
import { protocolComplaint, protocolWindow } from '@restic-manager/contract/protocol'
import { Refusal } from '@restic-manager/contract/refusal'
import { toInstant } from '@restic-manager/contract/scalars'
import type { Timing } from '@restic-manager/contract/timing'
import type { Log } from '@restic-manager/runtime/log'
import type { HostSession } from '../context.ts'
import { telling } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { arriving, together } from '../db/together.ts'
import { askedSessions, isAskedSession } from './asked-sessions.ts'
import { fenced } from './facts.ts'

/**
 * How much telemetry one agent may send. restic says where it stands once a second: an agent that waited a whole one after each word, and
 * for its answer, would tell each a little later than the one before, up to a second late.
 */
const limits = {
  logBlockBytes: 64 * 1024,
  logFlushMs: 250,
  logBytesPerSecond: 1024 * 1024,
  progressIntervalMs: 750,
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
  const { id, session, timeline } = host
  const ackedSeq = await greet(db, { ...factsOf(hello), id, session, timeline })
  if (ackedSeq === undefined) throw fenced()
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

type Greeting = HostSession & ReturnType<typeof factsOf>

/** What hello tells, as the statement below reads it. */
const factsOf = ({ knownJobs, ...hello }: AgentHello) => {
  const idsOf = (status: string) => knownJobs.filter(job => job.status === status).map(job => job.jobId)
  const { appliedConfigVersion, appliedScheduleVersion } = hello
  return {
    ...hello,
    believesConfig: appliedConfigVersion <= HIGHEST_BELIEVED_VERSION,
    believesSchedule: appliedScheduleVersion <= HIGHEST_BELIEVED_VERSION,
    knowsAll: knownJobs.length < FULL_LIST,
    known: knownJobs.map(job => job.jobId),
    accepted: idsOf('accepted'),
    running: idsOf('running'),
  }
}

const columns = sql`, hostname text, os text, arch text, "agentVersion" text, "resticVersion" text, "protocolVersion" integer,
  "timeZone" text, "bootTime" timestamptz, policy jsonb, "spoolEpoch" uuid, "spoolResetAt" timestamptz,
  "appliedConfigVersion" integer, "believesConfig" boolean, "appliedScheduleVersion" integer, "believesSchedule" boolean,
  "knowsAll" boolean, known uuid[], accepted uuid[], running uuid[]`

/** Applied above ours: this database comes from an older dump. Past it, so that the version never stands for two plans. */
const raisedPast = (ours: SQL, applied: SQL, isBelieved: SQL): SQL =>
  sql`case when ${isBelieved} and ${ours} < ${applied} then ${applied} + 1 else ${ours} end`

/**
 * Many hellos in one statement, each with how far its spool has been committed; one never heard of begins at nothing. Jobs:
 * - believed under way here and unknown there: lost, until a fact says otherwise. A slot the host runs by itself is accepted there as
 *   soon as it is told of.
 * - known there: they are under way, and our guesses end. One that waits here was taken on while the link was down: its fact is on its
 *   way, but fires may overtake it. One that expired here is left to go on once restic runs. A wish of a person stands.
 */
const greet = together<Greeting, AgentWelcome['ackedSeq']>(async (db, greetings, alone) => {
  const rows = await db.execute<{ at: number; first: string; rest: string }>(sql`
    with asked as materialized (select * from ${askedSessions(greetings, columns)}),
    held as (
      select asked.at from hosts join asked on ${isAskedSession}
      order by hosts.id for no key update of hosts ${alone ? sql`` : sql`skip locked`}
    ), greeted as (
      update hosts set hostname = asked.hostname, os = asked.os, arch = asked.arch, agent_version = asked."agentVersion",
        restic_version = asked."resticVersion", protocol_version = asked."protocolVersion", time_zone = asked."timeZone",
        boot_time = asked."bootTime", policy = asked.policy, spool_epoch = asked."spoolEpoch",
        spool_reset_at = asked."spoolResetAt", online = true, connected_at = now(), last_seen_at = now(),
        applied_config_version = asked."appliedConfigVersion",
        config_applied_at = case when hosts.applied_config_version = asked."appliedConfigVersion" then hosts.config_applied_at end,
        config_version = ${raisedPast(sql`hosts.config_version`, sql`asked."appliedConfigVersion"`, sql`asked."believesConfig"`)},
        applied_schedule_version = asked."appliedScheduleVersion",
        schedule_applied_at = case when hosts.applied_schedule_version = asked."appliedScheduleVersion" then hosts.schedule_applied_at end,
        schedule_version = ${raisedPast(sql`hosts.schedule_version`, sql`asked."appliedScheduleVersion"`, sql`asked."believesSchedule"`)}
      from asked join held on held.at = asked.at where hosts.id = asked.id
      returning asked.*, ${telling('host', sql`hosts.id`)} as told, ${telling('hello', sql`hosts.id`)} as told_of_hello,
        ${telling('enrolment', sql`hosts.enrolment_id`)} as told_too
    ), lost as (
      update jobs set status = 'lost', reason = 'agent_lost_it'
      from greeted where jobs.host_id = greeted.id and greeted."knowsAll" and jobs.id <> all (greeted.known)
        and (jobs.status in ('accepted', 'running') or (jobs.status = 'queued' and jobs.decided_by = 'agent'))
      returning ${telling('job', sql`jobs.id`)} as told
    ), found as (
      update jobs set status = case when jobs.id = any (greeted.running) then 'running' else 'accepted' end, reason = null,
        finished_at = null, accepted_at = coalesce(jobs.accepted_at, now()),
        cancel_requested_at = case when jobs.status = 'expired' then null else jobs.cancel_requested_at end
      from greeted where jobs.host_id = greeted.id and jobs.id = any (greeted.accepted || greeted.running)
        and (jobs.status = 'lost' or (jobs.status = 'queued' and jobs.cancel_requested_at is null)
          or (jobs.status = 'expired' and jobs.id = any (greeted.running) and not jobs.reported and jobs.cancel_requested_by is null))
      returning ${telling('job', sql`jobs.id`)} as told
    ), opened as (
      insert into spools (host_id, epoch) select id, "spoolEpoch" from greeted
      on conflict (host_id, epoch) do update set epoch = excluded.epoch
      returning host_id, acked_first as first, acked_rest as rest
    )
    select greeted.at, opened.first, opened.rest, greeted.told, greeted.told_of_hello, greeted.told_too,
      (select count(told) from lost), (select count(told) from found)
    from greeted join opened on opened.host_id = greeted.id`)
  const answers: AgentWelcome['ackedSeq'][] = []
  for (const { at, first, rest } of rows) answers[at] = { first: Number(first), rest: Number(rest) }
  return answers
}, arriving)
