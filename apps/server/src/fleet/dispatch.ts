// Lets held jobs go, one repository at a time: backups together, whatever needs a repository to itself alone.
import { and, eq, inArray, isNull, or, sql } from 'drizzle-orm'
import type { JobKind } from '@restic-manager/contract/job'
import { timing, type Timing } from '@restic-manager/contract/timing'
import { telling } from '../db/bus.ts'
import { isOneOf } from '../db/listed.ts'
import type { Db } from '../db/open.ts'
import { hosts, jobs, repositories } from '../db/schema.ts'
import { concernsItsRepository } from './claims.ts'
import { decideLine, type LineDecision, type LineJob } from './dispatch-decision.ts'

/** How long a job that was let go may stay unclaimed, and how long a backup waits at most. */
export type LinePeriods = Pick<Timing, 'queuedLife' | 'maintenanceWait' | 'offlineAfter'>

/** Two repositories with one restic id are one repository on disk, and share a line. */
export const lineKey = sql<string>`coalesce(${repositories.resticId}, ${repositories.id}::text)`

/** A lost job may still be running on a host that is out of reach; after a day it is not waited for any more. */
const LOST_COUNTS = '1 day'

/** True for a job that may be at work, or may begin without another word from us. */
export const mayBeAtWork = sql`(jobs.status in ('accepted', 'running')
  or (jobs.status = 'queued' and jobs.decided_by = 'agent') or (jobs.status = 'lost'
  and coalesce(jobs.started_at, jobs.accepted_at, jobs.created_at) > now() - ${LOST_COUNTS}::interval))`

/**
 * Decides again over everything that waits on these repositories: called whenever a job of theirs was queued or came to an
 * end. Lines are taken one after another by locks that last as long as the transaction, always in the same order.
 */
export async function dispatch(
  tx: Db,
  repositoryIds: readonly string[],
  periods: LinePeriods = timing,
): Promise<void> {
  if (repositoryIds.length === 0) return
  const keys = await lockLines(tx, repositoryIds)
  if (keys.length === 0) return
  const release: string[] = []
  const wait: LineDecision['wait'] = []
  const jobsOfLines = await readLines(tx, keys, periods)
  for (const line of Map.groupBy(jobsOfLines, job => job.line).values()) {
    const now = line[0]?.now ?? 0
    const decision = decideLine(line, { now, maintenanceWait: periods.maintenanceWait })
    release.push(...decision.release)
    wait.push(...decision.wait)
  }
  await letGo(tx, release, periods)
  const before = new Map(jobsOfLines.map(job => [job.id, job.waitsFor]))
  const changed = wait.filter(({ id, waitsFor }) => before.get(id) !== waitsFor)
  for (const [waitsFor, of] of Map.groupBy(changed, each => each.waitsFor))
    await holdBack(
      tx,
      of.map(each => each.id),
      waitsFor,
    )
}

/** Takes the lines of these repositories, and answers which they are. */
async function lockLines(tx: Db, repositoryIds: readonly string[]): Promise<string[]> {
  const lines = await tx.execute<{ key: string }>(sql`
    with lines as materialized (
      select distinct ${lineKey} collate "C" as key from repositories
      where ${isOneOf(sql`repositories.id`, repositoryIds)} order by key
    )
    select key, pg_advisory_xact_lock(hashtextextended('line ' || key, 0)) from lines`)
  return lines.map(({ key }) => key)
}

/** Keeps the line of a repository as it is until the transaction ends, but for what this transaction does to it. */
export async function holdLine(tx: Db, repositoryId: string): Promise<void> {
  await lockLines(tx, [repositoryId])
}

type ReadJob = LineJob & { line: string; waitsFor: string | null; now: number }

/**
 * Who stands in those of these lines in which somebody waits to be let go. A job whose host has been away since before it was let go cannot have begun and stands in nobody's
 * way; one that may be at work on a host out of reach does, until it is lost and a day has passed.
 */
async function readLines(tx: Db, keys: readonly string[], { offlineAfter }: LinePeriods): Promise<ReadJob[]> {
  const milliseconds = (of: ReturnType<typeof sql>) => sql<number>`(extract(epoch from ${of}) * 1000)::float8`
  return tx
    .select({
      line: lineKey,
      id: jobs.id,
      kind: sql<JobKind>`${jobs.kind}`,
      dryRun: sql<boolean>`coalesce(${jobs.spec} ->> 'dryRun' = 'true', false)`,
      held: sql<boolean>`${isHeld}`,
      ripe: sql<boolean>`coalesce(${jobs.notBefore} <= clock_timestamp(), true)`,
      linedUpAt: milliseconds(sql`greatest(${jobs.createdAt}, ${jobs.notBefore})`),
      waitsFor: jobs.waitsForJobId,
      now: milliseconds(sql`clock_timestamp()`),
    })
    .from(jobs)
    .innerJoin(repositories, eq(repositories.id, jobs.repositoryId))
    .innerJoin(hosts, and(eq(hosts.id, jobs.hostId), isNull(hosts.removedAt)))
    .where(
      and(
        // Looked up in a table that is made once: as a join each job would be compared with each line.
        sql`(${lineKey} in (${linesWithHeld(keys)})) is true`,
        // Backups that were let go are in nobody's way but that of what needs the repository alone.
        sql`(${isHeld} or ${needsItAlone} or ${lineKey} in (${linesWithHeld(keys, needsItAlone)}))`,
        inArray(jobs.status, ['queued', 'accepted', 'running', 'lost']),
        concernsItsRepository,
        or(
          mayBeAtWork,
          and(
            eq(jobs.status, 'queued'),
            or(
              isNull(jobs.releasedAt),
              hosts.online,
              sql`${jobs.releasedAt} <= ${hosts.lastSeenAt} + ${offlineAfter} * interval '1 millisecond'`,
            ),
          ),
        ),
      ),
    )
}

const isHeld = sql`jobs.status = 'queued' and jobs.released_at is null and jobs.decided_by = 'server'`

/** At least those that may have to be alone in their line. */
const needsItAlone = sql`jobs.kind in ('forget', 'prune', 'check')`

/** Those of these lines that hold a job back, or such a job. */
const linesWithHeld = (keys: readonly string[], which = sql`true`) => sql`
  select ${lineKey} from jobs join repositories on repositories.id = jobs.repository_id
  where ${isHeld} and ${which} and ${lineKey} in (select jsonb_array_elements_text(${JSON.stringify(keys)}::jsonb))`

/** Those of these jobs that nobody else is changing at this moment: whoever does will look at the line again. */
const heldOf = (tx: Db, ids: string[]) =>
  tx
    .select({ id: jobs.id })
    .from(jobs)
    .where(and(isOneOf(jobs.id, ids), eq(jobs.status, 'queued'), isNull(jobs.releasedAt)))
    .for('no key update', { skipLocked: true })

async function letGo(tx: Db, ids: string[], { queuedLife }: LinePeriods) {
  if (ids.length === 0) return
  await tx
    .update(jobs)
    .set({
      releasedAt: sql`now()`,
      waitsForJobId: null,
      expiresAt: sql`now() + ${queuedLife} * interval '1 millisecond'`,
    })
    .where(inArray(jobs.id, heldOf(tx, ids)))
    .returning({ ...toldOfLine, orders: telling('orders', jobs.hostId) })
}

async function holdBack(tx: Db, ids: string[], waitsFor: string) {
  await tx
    .update(jobs)
    .set({ waitsForJobId: waitsFor })
    .where(inArray(jobs.id, heldOf(tx, ids)))
    .returning(toldOfLine)
}

const toldOfLine = {
  job: telling('job', jobs.id),
  host: telling('host', jobs.hostId),
  repository: telling('repository', jobs.repositoryId),
}

/** Repositories looked at in one round, picked by lot so that none is always beyond. */
const MOST_LINES = 500

/**
 * Looks again wherever something is held: a retry's time may have come, a backup may have waited long enough, a host that was
 * waited for may be lost. Safe to run anywhere, several at once. Answers how many repositories were looked at.
 */
export async function dispatchHeld(db: Db, periods: LinePeriods): Promise<number> {
  const waiting = await db.execute<{ id: string }>(sql`
    select id from (
      select distinct jobs.repository_id as id from jobs
      where jobs.status = 'queued' and jobs.released_at is null and coalesce(jobs.not_before <= now(), true)) waiting
    order by random() limit ${MOST_LINES}`)
  for (const { id } of waiting) await db.transaction(tx => dispatch(tx, [id], periods))
  return waiting.length
}
