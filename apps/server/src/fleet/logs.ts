// Job logs: blocks are appended in order, kept as they came, and read back by number.
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { and, asc, eq, gte, type SQL, sql } from 'drizzle-orm'
import { ZodError } from 'zod'
import {
  checkBlock,
  decodeBlock,
  type LogAnswer,
  type LogEntry,
  type LogStreamBlock,
} from '@restic-manager/contract/log'
import { Refusal } from '@restic-manager/contract/refusal'
import { toInstant } from '@restic-manager/contract/scalars'
import type { LogPage } from '@restic-manager/contract/views'
import type { Db } from '../db/open.ts'
import { notify } from '../db/bus.ts'
import { jobs } from '../db/schema.ts'
import { logBlocks, removedLogDays } from '../db/schema-logs.ts'
import { currentTimeline } from '../db/timeline.ts'
import { logBlocksKept, logBytesKept } from '../metrics.ts'
import type { Sender } from './facts.ts'
import { explainNothing } from './job-reports.ts'
import { lacksLogDay, logDayOf, makeLogDay } from './log-days.ts'
import { jobsIn, type Scope, wholeFleet } from './scope.ts'

/** Blocks read at a time, and the most text of one page. */
const BLOCKS_AT_ONCE = 16
const MOST_PAGE_CHARS = 1024 * 1024
const MOST_BLOCK_BYTES = 4 * 1024 * 1024
/** A third of the work of the usual level is saved, and a line takes a thirtieth more. */
const fastest = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }
/** A host that never stops must not stop the others whose logs are of that day. */
const MOST_COUNTED = 2_147_483_646

/**
 * Appends a block when it is the one expected next; an older one is ignored, of a later one nothing is kept. Either way the
 * answer is the number expected. A block of a log that was removed is counted and let go. Safe to deliver twice. Throws
 * `bad_input` for a malformed block, `job_not_found`, `session_fenced`.
 */
export async function appendLog(db: Db, sender: Sender, block: LogStreamBlock): Promise<LogAnswer> {
  refuseMalformed(block)
  const { jobId } = block
  const nextSeq = block.firstSeq + block.count
  if (await store(db, sender, block, nextSeq)) {
    logBlocksKept.inc()
    logBytesKept.inc(block.block.length)
    // A statement of its own: commits that notify go one at a time in PostgreSQL, and this one has nothing to write.
    await notify(db, 'log', jobId)
    return { nextSeq }
  }
  await explainNothing(db, sender, jobId)
  const [job] = await db.select({ nextSeq: jobs.nextLogSeq }).from(jobs).where(eq(jobs.id, jobId))
  if (job === undefined)
    throw new Refusal('job_not_found', 'This job is not known yet. Report its start first.')
  return job
}

/** Answers whether the block was the one expected. The place for its day is usually there; where it is not, it is made. */
async function store(db: Db, sender: Sender, block: LogStreamBlock, nextSeq: number): Promise<boolean> {
  const append = appendStatement(sender, block, nextSeq)
  try {
    return (await db.execute(append)).length === 1
  } catch (error) {
    if (!lacksLogDay(error)) throw error
    await makeLogDay(db, await logDayOf(db, block.jobId))
    return (await db.execute(append)).length === 1
  }
}

/** One statement: the expected number moves and the block is stored together, or neither. Answers one row when it was. */
function appendStatement(sender: Sender, block: LogStreamBlock, nextSeq: number): SQL {
  const { jobId, firstSeq, count, startedAt } = block
  return sql`
    with expected as (
      update jobs set next_log_seq = ${nextSeq}, log_day = coalesce(jobs.log_day, (now() at time zone 'utc')::date)
      from hosts
      where jobs.id = ${jobId} and jobs.host_id = ${sender.id} and jobs.next_log_seq = ${firstSeq}
        and hosts.id = jobs.host_id and hosts.session_number = ${sender.session}
        and hosts.quarantined_at is null and hosts.removed_at is null and ${currentTimeline} = ${sender.timeline}
      returning jobs.id, jobs.host_id, jobs.log_day
    ), late as (
      update removed_log_days set late_blocks = least(late_blocks, ${MOST_COUNTED}) + 1 from expected
      where removed_log_days.day = expected.log_day returning removed_log_days.day
    ), kept as (
      insert into log_blocks (day, job_id, host_id, first_seq, count, started_at, block)
      select log_day, id, host_id, ${firstSeq}::bigint, ${count}::bigint, ${startedAt}::timestamptz,
        ${zstdCompressSync(block.block, fastest)}::bytea
      from expected where not exists (select from late)
    )
    select 1 as one from expected`
}

function refuseMalformed(block: LogStreamBlock) {
  try {
    checkBlock(block)
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof ZodError)
      throw new Refusal('bad_input', 'The log block is not in the form the contract describes.')
    throw error
  }
}

/**
 * The entries from `fromSeq` on, at most `limit` and about a megabyte. Of a log that was removed: a gap that says so. Throws
 * `job_not_found`, also for one that has left the scope.
 */
export async function readLog(
  db: Db,
  { jobId, fromSeq, limit }: { jobId: string; fromSeq: number; limit: number },
  scope: Scope = wholeFleet,
): Promise<LogPage> {
  const [job] = await db
    .select({ nextSeq: jobs.nextLogSeq, day: jobs.logDay, removed: removedLogDays })
    .from(jobs)
    .leftJoin(removedLogDays, eq(removedLogDays.day, jobs.logDay))
    .where(and(eq(jobs.id, jobId), jobsIn(scope)))
  if (job === undefined) throw new Refusal('job_not_found', 'There is no such job.')
  if (job.removed !== null) return removedPage(job.removed, fromSeq, job.nextSeq)
  const entries: LogEntry[] = []
  let nextSeq = fromSeq
  let chars = 0
  const isFull = () => entries.length >= limit || chars >= MOST_PAGE_CHARS
  while (job.day !== null && !isFull() && nextSeq < job.nextSeq) {
    const blocks = await blocksFrom(db, { jobId, day: job.day }, nextSeq)
    for (const block of blocks)
      for (const entry of decodeBlock(block)) {
        const after = entry.seq + ('gap' in entry ? entry.gap.count : 1)
        if (after <= nextSeq || isFull()) continue
        entries.push(entry)
        chars += 'gap' in entry ? 0 : entry.payload.length
        nextSeq = after
      }
    if (blocks.length < BLOCKS_AT_ONCE) break
  }
  return { entries, nextSeq, atEnd: nextSeq >= job.nextSeq }
}

/** What is left of a log that was removed. */
function removedPage(
  { keptDays, removedAt }: typeof removedLogDays.$inferSelect,
  fromSeq: number,
  nextSeq: number,
): LogPage {
  const count = nextSeq - fromSeq
  const reason = `the logs of this day were removed after ${keptDays} ${keptDays === 1 ? 'day' : 'days'}`
  const gap = { seq: fromSeq, ts: removedAt.getTime(), gap: { count, bytes: 0, reason } }
  return { entries: count > 0 ? [gap] : [], nextSeq, atEnd: true }
}

/** The block that holds `fromSeq` and some after it. The day says in which partition they lie. */
async function blocksFrom(db: Db, { jobId, day }: { jobId: string; day: string }, fromSeq: number) {
  const holding = sql`coalesce((select max(first_seq) from log_blocks
    where day = ${day} and job_id = ${jobId} and first_seq <= ${fromSeq}), 0)`
  const rows = await db
    .select()
    .from(logBlocks)
    .where(and(eq(logBlocks.day, day), eq(logBlocks.jobId, jobId), gte(logBlocks.firstSeq, holding)))
    .orderBy(asc(logBlocks.firstSeq))
    .limit(BLOCKS_AT_ONCE)
  return rows.map(({ firstSeq, count, startedAt, block }) => ({
    firstSeq,
    count,
    startedAt: toInstant(startedAt),
    block: zstdDecompressSync(block, { maxOutputLength: MOST_BLOCK_BYTES }).toString('utf8'),
  }))
}
