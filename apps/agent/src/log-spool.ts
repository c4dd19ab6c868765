// Logs on disk, waiting to be sent. Bounded by bytes: when there are too many, the oldest blocks give way to a gap.
import { join } from 'node:path'
import type { LogStreamBlock } from '@restic-manager/contract/log'
import type { Log } from '@restic-manager/runtime/log'
import { createDoorbell, type Doorbell } from './doorbell.ts'
import type { FactMark } from './facts.ts'
import { gapBlock, type CutBlock } from './job-log.ts'
import { beginningOf, BlockRows, openBlocks } from './log-blocks.ts'
import { noReserve, type Reserve } from './reserve.ts'
import { giveBackPages, isDamage, moveAside, type Row, type Store } from './store.ts'

export type LogSpool = {
  /** Rings whenever a block was written. */
  readonly bell: Doorbell
  /** Writes a block down. False: the disk did not take it. */
  keep(jobId: string, block: CutBlock): boolean
  /** The jobs of which blocks wait, those that wrote last at the end. */
  waitingJobs(): string[]
  /** The oldest block of a job that waits, or as many lines of its beginning as fit into `mostBytes`, one at least. */
  oldest(jobId: string, mostBytes?: number): LogStreamBlock | undefined
  /** The server has everything before `nextSeq`. `mark`: how far facts were numbered then. Safe to call twice. */
  taken(jobId: string, nextSeq: number, mark?: FactMark): void
  /**
   * What the server has taken of logs since the newest fact that it has now: perhaps it was put back to a moment between the
   * two. Usually the log of the last job, or none.
   */
  inDoubt(has: FactMark): { jobId: string; lastSeq: number }[]
  /** The server will not have this block: a gap takes its numbers. */
  giveUp(jobId: string, firstSeq: number, reason: string): void
  /** Numbers `fromSeq` to `toSeq − 1` are on neither end any more: a gap takes them. */
  fillHole(jobId: string, fromSeq: number, toSeq: number): void
  /** The server has forgotten a job: where nothing of its log waits, a gap takes all of it. What the server has, stays. Never throws. */
  owe(jobId: string, lastSeq: number): void
  /** The last number the job's log has reached, sent or not; −1 when it has none. */
  lastSeq(jobId: string): number
  /** Forgets all about a job. */
  forget(jobId: string): void
  bytes(): number
  close(): void
}

export type LogBudget = {
  /** All blocks together. */
  bytes: number
  /** The beginning of each job's log gives way last. */
  headBytes: number
}

const usualBudget: LogBudget = { bytes: 256 * 1024 * 1024, headBytes: 128 * 1024 }

/**
 * Opens the spool in `folder`. A damaged one is thrown out of the way, now or later: logs may be lost, facts are elsewhere.
 * Logs give way first: while the disk is full none is written.
 */
export function openLogSpool(
  folder: string,
  log: Log,
  { budget = usualBudget, reserve = noReserve }: { budget?: LogBudget | undefined; reserve?: Reserve } = {},
): LogSpool {
  const path = join(folder, 'logs.db')
  const bell = createDoorbell()
  const headBytes = new Map<string, number>()
  /** It was damaged, and a full disk did not take a new one yet. That is tried at every use. */
  let isGone = false
  let { store, rows } = open()

  function open(): { store: Store; rows: BlockRows } {
    const load = () => {
      const store = openBlocks(path)
      try {
        return { store, rows: new BlockRows(store) }
      } catch (error) {
        store.close()
        throw error
      }
    }
    try {
      return load()
    } catch (error) {
      if (!isDamage(error)) throw error
      log.error({ aside: moveAside(path), err: error }, 'the log spool was damaged; it was moved aside')
      return load()
    }
  }

  /** All of it or nothing, also of what is counted along. */
  function change<T>(work: () => T): T {
    try {
      reopen()
      return store.transaction(work)
    } catch (error) {
      settle(error)
      throw error
    }
  }

  function reopen() {
    if (isGone) ({ store, rows } = open())
    isGone = false
  }

  /** Whoever comes here has an error already. */
  function settle(error: unknown) {
    try {
      if (isDamage(error)) replace(error)
      else if (!isGone) rows.count()
    } catch (next) {
      log.error({ err: next }, 'the log spool cannot be used; it is tried again')
    }
  }

  function replace(damage: unknown) {
    isGone = true
    rows.clear()
    store.close()
    log.error({ aside: moveAside(path), err: damage }, 'the log spool was damaged; it was moved aside')
    reopen()
  }

  /** A look that finds damage finds nothing. */
  function look<T>(read: () => T, nothing: T): T {
    try {
      reopen()
      return read()
    } catch (error) {
      settle(error)
      return nothing
    }
  }

  function fillHole(jobId: string, fromSeq: number, toSeq: number) {
    const gap = { firstSeq: fromSeq, count: toSeq - fromSeq, bytes: 0, since: Date.now() }
    rows.insert(jobId, gapBlock({ ...gap, reason: 'this host no longer has these lines' }), { gapBytes: 1 })
  }

  return {
    bell,
    keep(jobId, block) {
      if (reserve.isFull()) return false
      const head = headBytes.get(jobId) ?? 0
      const isHead = head < budget.headBytes
      if (isHead) headBytes.set(jobId, head + Buffer.byteLength(block.block))
      try {
        reserve.watch(() =>
          change(() => {
            rows.insert(jobId, block, { isHead, gapBytes: gapBytesOf(block) })
            store.run(
              'insert into positions values (?, ?) on conflict (job_id) do update set next_seq = excluded.next_seq',
              ...[jobId, block.firstSeq + block.count],
            )
            if (rows.bytes > budget.bytes) rows.makeRoom(budget.bytes)
          }),
        )
      } catch (error) {
        log.warn({ jobId, err: error }, 'the disk of the spool did not take a part of a log')
        return false
      }
      rows.moveToEnd(jobId)
      bell.ring()
      return true
    },
    waitingJobs: () => [...rows.waiting.keys()],
    oldest: (jobId, mostBytes = Number.POSITIVE_INFINITY) =>
      look(() => {
        const row = store.one('select * from blocks where job_id = ? order by first_seq limit 1', jobId)
        return row === undefined ? undefined : beginningOf(toBlock(row), mostBytes)
      }, undefined),
    taken(jobId, nextSeq, mark) {
      change(() => {
        if (mark !== undefined)
          store.run(
            `insert into marks values (?, ?, ?, ?) on conflict (job_id) do update
               set epoch = excluded.epoch, first = excluded.first, rest = excluded.rest`,
            ...[jobId, mark.epoch, mark.first, mark.rest],
          )
        const before = 'select * from blocks where job_id = ? and first_seq < ?'
        for (const row of store.all(before, jobId, nextSeq)) rows.cutBefore(row, nextSeq)
      })
      look(() => giveBackPages(store), false)
    },
    inDoubt: has =>
      look(
        () =>
          store
            .all(
              `select job_id, next_seq from marks join positions using (job_id)
               where epoch = ? and first >= ? and rest >= ?`,
              ...[has.epoch, has.first, has.rest],
            )
            .map(row => ({ jobId: String(row.job_id), lastSeq: Number(row.next_seq) - 1 })),
        [],
      ),
    giveUp(jobId, firstSeq, reason) {
      change(() => {
        const row = store.one('select * from blocks where job_id = ? and first_seq = ?', jobId, firstSeq)
        if (row === undefined) return
        if (Number(row.gap_bytes) > 0) rows.remove(row)
        else rows.replaceByGap(row, reason)
      })
    },
    fillHole: (jobId, fromSeq, toSeq) => change(() => fillHole(jobId, fromSeq, toSeq)),
    owe(jobId, lastSeq) {
      if (rows.waiting.has(jobId) || lastSeq < 0) return
      try {
        change(() => fillHole(jobId, 0, lastSeq + 1))
        bell.ring()
      } catch (error) {
        log.warn({ jobId, err: error }, 'that a log is gone could not be written down')
      }
    },
    lastSeq: jobId =>
      look(
        () => Number(store.one('select next_seq from positions where job_id = ?', jobId)?.next_seq ?? 0) - 1,
        -1,
      ),
    forget(jobId) {
      headBytes.delete(jobId)
      change(() => {
        for (const row of store.all('select id, job_id, bytes from blocks where job_id = ?', jobId))
          rows.remove(row)
        store.run('delete from positions where job_id = ?', jobId)
        store.run('delete from marks where job_id = ?', jobId)
      })
    },
    bytes: () => rows.textBytes,
    close: () => store.close(),
  }
}

function gapBytesOf(block: CutBlock): number {
  const gap = /^\d+\tg\t(\{.*\})\n$/.exec(block.block)?.[1]
  return gap === undefined ? 0 : Number((JSON.parse(gap) as { bytes: number }).bytes)
}

function toBlock(row: Row): LogStreamBlock {
  return {
    jobId: String(row.job_id),
    firstSeq: Number(row.first_seq),
    count: Number(row.count),
    startedAt: String(row.started_at),
    block: String(row.block),
  }
}
