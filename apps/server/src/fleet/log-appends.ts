// Blocks of logs on their way to the disk: whatever is due at about the same time goes there in one statement.
import { constants, zstdCompressSync } from 'node:zlib'
import { type SQL, sql } from 'drizzle-orm'
import { type LogStreamBlock, MAX_BLOCK_BYTES } from '@restic-manager/contract/log'
import { notifyAll } from '../db/bus.ts'
import type { Db } from '../db/open.ts'
import { together } from '../db/together.ts'
import { askedSessions, isAskedSession } from './asked-sessions.ts'
import type { Sender } from './facts.ts'
import { lacksLogDay, logDayOf, makeLogDay } from './log-days.ts'

/** A third of the work of the usual level is saved, and a line takes a thirtieth more. */
const fastest = { [constants.ZSTD_c_compressionLevel]: 1 }
/** Room for nearly every packed block in one piece. */
const PACKED_BYTES = 24 * 1024
/** Where a text lies while it is packed. A place of its own for each is what makes the collector of garbage come. */
const plain = Buffer.allocUnsafeSlow(MAX_BLOCK_BYTES)
/** A host that never stops must not stop the others whose logs are of that day. */
const MOST_COUNTED = 2_147_483_646

/** Blocks of one statement. Told to PostgreSQL too, which would reckon with a hundred. */
const MOST = 16

/** A block that was checked, and who sent it. */
type Due = { sender: Sender; block: LogStreamBlock }
/** `isStored`: by this call. `nextSeq`: the number its job expects now. */
type Stored = { isStored: boolean; nextSeq: number }

/** The text of a block as it lies on the disk. Knowing its size beforehand saves a fifth of the work. */
function packBlock(text: string): Buffer {
  const size = Buffer.byteLength(text)
  const bytes = size > plain.length ? Buffer.from(text) : plain.subarray(0, plain.write(text))
  return zstdCompressSync(bytes, { params: fastest, pledgedSrcSize: size, chunkSize: PACKED_BYTES })
}

/**
 * Stores a block if it is the one its job expects next, and the expected number moves with it. Undefined: the session of its sender is
 * over, or the job is not known or another's. Safe to call twice. The place for its day is usually there; where it is not, it is made.
 */
export const storeBlock = together<Due, Stored>(
  async (db, dues, alone) => {
    const answers: Stored[] = []
    for (const { at, isStored, nextSeq } of await append(db, dues, alone))
      answers[at] = { isStored, nextSeq: Number(nextSeq) }
    return answers
  },
  // Longer than an answer and the block after it are under way, so that those who send at the same time stay together.
  { apartMs: 5, most: MOST },
)

/**
 * Tells whoever reads the log of a job that there is more of it. Apart from what it tells of: commits that notify go one at a time in
 * PostgreSQL. Not waited for: where it fails, readers look by themselves a little later.
 */
export function tellOfLog(db: Db, jobId: string): void {
  tellTogether(db, jobId).catch(() => {})
}

const tellTogether = together<string, true>(async (db, jobIds) => {
  await notifyAll(db, { log: jobIds })
  return jobIds.map(() => true)
})

type Row = { at: number; isStored: boolean; nextSeq: string }

async function append(db: Db, dues: readonly Due[], alone: boolean): Promise<Row[]> {
  const statement = appendStatement(dues, alone)
  try {
    return await db.execute<Row>(statement)
  } catch (error) {
    const [due] = dues
    if (!alone || due === undefined || !lacksLogDay(error)) throw error
    await makeLogDay(db, await logDayOf(db, due.block.jobId))
    return db.execute<Row>(statement)
  }
}

/** For each block the expected number moves and it is stored, or neither. Of a day that was removed blocks are counted and let go. */
function appendStatement(dues: readonly Due[], alone: boolean): SQL {
  const packed: Buffer[] = []
  let starts = 1
  const asked = dues.map(({ sender, block: { jobId, firstSeq, count, startedAt, block } }) => {
    const bytes = packBlock(block)
    const one = { ...sender, jobId, firstSeq, count, startedAt, starts, size: bytes.length }
    packed.push(bytes)
    starts += bytes.length
    return one
  })
  // As text of our own: the client would make three copies of bytes, twice as long.
  const all = Buffer.concat(packed)
  const columns = sql`, "jobId" uuid, "firstSeq" bigint, count bigint, "startedAt" timestamptz, starts integer, size integer`
  return sql`
    with held as (
      select asked.*, jobs.next_log_seq as expects from (select * from ${askedSessions(asked, columns)} limit ${MOST}) as asked
      join hosts on ${isAskedSession}
      join jobs on jobs.id = asked."jobId" and jobs.host_id = asked.id
      order by jobs.id for no key update of jobs ${alone ? sql`` : sql`skip locked`}
    ), expected as (
      update jobs set next_log_seq = held."firstSeq" + held.count,
        log_day = coalesce(jobs.log_day, (now() at time zone 'utc')::date)
      from held where jobs.id = held."jobId" and jobs.next_log_seq = held."firstSeq"
      returning jobs.host_id, jobs.log_day, held.*
    ), late as (
      update removed_log_days set late_blocks = least(late_blocks + came.blocks, ${MOST_COUNTED}::bigint)
      from (select log_day, count(*) as blocks from expected group by log_day) as came
      where removed_log_days.day = came.log_day returning removed_log_days.day
    ), kept as (
      insert into log_blocks (day, job_id, host_id, first_seq, count, started_at, block)
      select log_day, "jobId", host_id, "firstSeq", count, "startedAt",
        substring(decode(${all.toString('base64')}, 'base64') from starts for size)
      from expected where log_day not in (select day from late)
    )
    select held.at, stored.at is not null as "isStored", coalesce(moved."firstSeq" + moved.count, held.expects) as "nextSeq"
    from held left join expected as stored on stored.at = held.at left join expected as moved on moved."jobId" = held."jobId"`
}
