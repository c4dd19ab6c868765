// Job logs: blocks are appended in order, kept as they came, and read back by number.
import { zstdDecompressSync } from 'node:zlib'
import { and, asc, eq, gte, sql } from 'drizzle-orm'
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
import { jobs } from '../db/schema.ts'
import { logBlocks, removedLogDays } from '../db/schema-logs.ts'
import { logBlocksKept, logBytesKept } from '../metrics.ts'
import type { Sender } from './facts.ts'
import { explainNothing } from './job-reports.ts'
import { storeBlock, tellOfLog } from './log-appends.ts'
import { fewJobsIn, type Scope, wholeFleet } from './scope.ts'

/** Blocks read at a time, and the most text of one page. */
const BLOCKS_AT_ONCE = 16
const MOST_PAGE_CHARS = 1024 * 1024
const MOST_BLOCK_BYTES = 4 * 1024 * 1024

/**
 * Appends a block when it is the one expected next; an older one is ignored, of a later one nothing is kept. Either way the
 * answer is the number expected. A block of a log that was removed is counted and let go. Safe to deliver twice. Throws
 * `bad_input` for a malformed block, `job_not_found`, `session_fenced`.
 */
export async function appendLog(db: Db, sender: Sender, block: LogStreamBlock): Promise<LogAnswer> {
  refuseMalformed(block)
  const { jobId } = block
  const stored = await storeBlock(db, { sender, block })
  if (stored?.isStored === true) {
    logBlocksKept.inc()
    logBytesKept.inc(block.block.length)
    tellOfLog(db, jobId)
  }
  if (stored !== undefined) return { nextSeq: stored.nextSeq }
  await explainNothing(db, sender, jobId)
  const [job] = await db.select({ nextSeq: jobs.nextLogSeq }).from(jobs).where(eq(jobs.id, jobId))
  if (job === undefined)
    throw new Refusal('job_not_found', 'This job is not known yet. Report its start first.')
  return job
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
    .where(and(eq(jobs.id, jobId), fewJobsIn(scope)))
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
