// How facts move jobs: accepted, started, ended. One statement for the facts of many hosts, or for one that is looked at alone.
import { and, eq, inArray, isNull, not, or, type SQL, sql } from 'drizzle-orm'
import type { CommandResult } from '@restic-manager/contract/command'
import {
  EndStatus,
  type JobFinished,
  type JobStarted,
  type JobStatus,
  provisionalStatuses,
  statusesBefore,
} from '@restic-manager/contract/job'
import { telling } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { isOneOf } from '../db/listed.ts'
import { jobProgress } from '../db/schema-logs.ts'
import { jobs } from '../db/schema.ts'
import { concernsItsRepository } from './claims.ts'
import { heldFacts, isNewFact, lockOf, type Taking, takenFacts, type Told } from './many-facts.ts'

/** True where a report may make a job `to`: the table allows it, or what stands there is only our guess. Never after a reported end. */
export const mayBecome = (to: JobStatus): SQL | undefined =>
  and(not(jobs.reported), inArray(jobs.status, [...new Set([...statusesBefore(to), ...provisionalStatuses])]))

/** Hello said that it runs, before the fact that says since when and how came. */
const isRunningUntold = and(not(jobs.reported), eq(jobs.status, 'running'), isNull(jobs.startedAt))

/** An instant of the agent's clock, now at the latest: a clock that runs ahead must not make a host look backed up for years. */
export const notAhead = (instant: SQL | string): SQL => sql`least(now(), ${instant}::timestamptz)`

/** A cancel of our own, for a slot that was superseded or expired, keeps our reason: the agent only knows that it was cancelled. */
export const endReason = (status: SQL | JobStatus, reason: SQL | string | null): SQL =>
  sql`case when ${status} = 'cancelled' and jobs.status in ('skipped', 'expired') and jobs.cancel_requested_by is null
    then jobs.reason else ${reason} end`

/** The table `known`: the facts whose job is a row of their host, with that row taken and what else of it is named. */
const knownJobs = ({
  alone,
  which = sql`true`,
  more = sql``,
}: Taking & { which?: SQL; more?: SQL }): SQL => sql`
  known as materialized (
    select held.*${more} from jobs join held on held."jobId" = jobs.id and held.id = jobs.host_id
    where ${which} order by jobs.id for update of jobs ${lockOf({ alone })}
  )`

const tellOfReport = sql`${telling('job', sql`jobs.id`)} as told, ${telling('host', sql`jobs.host_id`)} as told_too`

/** `proceed`: whether to go ahead. Once told to, always: a later cancel is an order of its own. */
export type Accepted = { at: number; isNew: boolean; proceed: boolean }

/** Agents have taken these jobs on. Answers none for one that will not run it, nor for a host or a job that is held, or not as it should be. */
export const acceptJobs = (db: Db, told: readonly Told<CommandResult>[], { alone }: Taking) =>
  db.execute<Accepted>(sql`
    with ${heldFacts(told, sql`, "jobId" uuid, accepted boolean`, { alone, lock: 'share' })}, ${knownJobs({
      alone,
      which: sql`held.accepted`,
      more: sql`, jobs.accepted_at is not null
        or (jobs.cancel_requested_at is null and jobs.status not in ('cancelled', 'expired', 'skipped')) as proceed`,
    })}, moved as (
      update jobs set status = 'accepted', accepted_at = ${notAhead(sql`known."occurredAt"`)}, reason = null
      from known where jobs.id = known."jobId" and known.proceed
        and ${and(not(jobs.reported), inArray(jobs.status, statusesBefore('accepted')))}
      returning ${tellOfReport}
    ), ${takenFacts}
    select known.at, known.proceed, ${isNewFact} as "isNew", (select count(told) from moved) from known`)

/** Begins a row for each job nobody here has heard of and that no schedule asked for. To be told of further in the same transaction. */
export const makeOwnJobs = (tx: Db, told: readonly Told<JobStarted>[]) =>
  tx.execute<{ at: number }>(sql`
    with ${heldFacts(
      told,
      sql`, "jobId" uuid, kind text, "repositoryId" uuid, "scheduleId" uuid, "scheduledAt" timestamptz,
      "retryOf" uuid, "startedAt" timestamptz`,
      {
        alone: false,
        lock: 'share',
      },
    )}, made as (
      insert into jobs (id, host_id, repository_id, kind, status, spec, decided_by, released_at, retry_of, created_at)
      select held."jobId", held.id, held."repositoryId", held.kind, 'queued', '{}', 'agent', now(), held."retryOf",
        ${notAhead(sql`held."startedAt"`)}
      from held where coalesce(held."scheduleId"::text, held."scheduledAt"::text) is null
        and not exists (select from jobs where jobs.id = held."jobId")
      order by held."jobId"
      on conflict do nothing returning id, host_id
    )
    select held.at from held join made on made.id = held."jobId" and made.host_id = held.id`)

export type Started = { at: number; isNew: boolean }

/** restic runs. Answers none for a host or a job that is held, or not as it should be. */
export const startJobs = (db: Db, told: readonly Told<JobStarted>[], { alone }: Taking) =>
  db.execute<Started>(sql`
    with ${heldFacts(told, sql`, "jobId" uuid, "startedAt" timestamptz, command text, "resticVersion" text`, {
      alone,
      lock: 'share',
    })}, ${knownJobs({ alone })}, moved as (
      update jobs set status = 'running', accepted_at = coalesce(jobs.accepted_at, ${notAhead(sql`known."occurredAt"`)}),
        started_at = ${notAhead(sql`known."startedAt"`)}, command = known.command, restic_version = known."resticVersion",
        reason = null, finished_at = null
      from known where jobs.id = known."jobId" and ${or(mayBecome('running'), isRunningUntold)}
      returning ${tellOfReport}
    ), ${takenFacts}
    select known.at, ${isNewFact} as "isNew", (select count(told) from moved) from known`)

const mayEnd = or(...EndStatus.options.map(status => and(sql`known.status = ${status}`, mayBecome(status))))

/** What only a backup leaves behind that worked, wholly or in part. */
const isRestorePoint = sql`moved.kind = 'backup' and moved.said_kind = 'backup' and moved.status in ('succeeded', 'incomplete')`

/** After such an end only the line moves on: nothing is tried again, and nothing was found out about the repository. */
const isOrdinaryEnd = sql`jobs.kind = 'backup' and not (held.status = 'failed' and jobs.schedule_id is not null)`

/** `hasEnded`: by this fact. `repositoryId`: whose line may move on, null when the job says nothing of it. */
export type Ended = { at: number; isNew: boolean; hasEnded: boolean; repositoryId: string | null }

/**
 * How these jobs ended; in company only ordinary ends. Answers none for a host or a job that is held, or not as it should be. Takes a
 * transaction: where they stood is forgotten by a second statement, which sees what was kept of them while the first one began.
 */
export async function endJobs(tx: Db, told: readonly Told<JobFinished>[], taking: Taking) {
  const ended = await recordEnds(tx, told, taking)
  const over = ended.flatMap(({ at, hasEnded }) => (hasEnded ? (told[at]?.jobId ?? []) : []))
  if (over.length > 0) await tx.delete(jobProgress).where(isOneOf(jobProgress.jobId, over))
  return ended
}

const recordEnds = (tx: Db, told: readonly Told<JobFinished>[], { alone }: Taking) =>
  tx.execute<Ended>(sql`
    with ${heldFacts(
      told,
      sql`, "jobId" uuid, kind text, status text, "exitCode" bigint, signal text, reason text, error text,
        "finishedAt" timestamptz, stats jsonb, warnings jsonb, "lastLogSeq" bigint`,
      { alone, lock: 'change' },
    )}, ${knownJobs(alone ? { alone } : { alone, which: isOrdinaryEnd })}, moved as (
      update jobs set status = known.status, reported = true, exit_code = known."exitCode", signal = known.signal,
        reason = ${endReason(sql`known.status`, sql`known.reason`)}, error = known.error,
        finished_at = ${notAhead(sql`known."finishedAt"`)}, stats = known.stats, warnings = known.warnings,
        last_log_seq = known."lastLogSeq"
      from known where jobs.id = known."jobId" and ${mayEnd}
      returning jobs.id, jobs.host_id, jobs.repository_id, jobs.kind, known.kind as said_kind, jobs.status, jobs.finished_at,
        ${concernsItsRepository} as concerns, ${tellOfReport}
    ), saved as (
      update hosts set last_good_backup_at = greatest(hosts.last_good_backup_at, moved.finished_at)
      from moved where hosts.id = moved.host_id and ${isRestorePoint}
      returning ${telling('repository', sql`moved.repository_id`)} as told
    ), ${takenFacts}
    select known.at, ${isNewFact} as "isNew", moved.id is not null as "hasEnded",
      case when moved.concerns then moved.repository_id end as "repositoryId", (select count(told) from saved)
    from known left join moved on moved.id = known."jobId"`)
