// Log blocks on disk, waiting to be sent. Bounded by bytes: when there are too many, the oldest give way to a gap.
import { join } from 'node:path'
import type { LogStreamBlock } from '@restic-manager/contract/log'
import type { Log } from '@restic-manager/runtime/log'
import { createDoorbell, type Doorbell } from './doorbell.ts'
import { gapBlock, type CutBlock } from './job-log.ts'
import { isDamage, moveAside, openStore, type Row, type Store } from './state.ts'

export type LogSpool = {
  /** Rings whenever a block was written. */
  readonly bell: Doorbell
  /** Writes a block down. False: the disk did not take it. */
  keep(jobId: string, block: CutBlock): boolean
  /** The jobs of which blocks wait, those with the newest last. */
  waitingJobs(): string[]
  /** The oldest block of a job that waits. */
  oldest(jobId: string): LogStreamBlock | undefined
  /** The server has everything before `nextSeq`. Safe to call twice. */
  taken(jobId: string, nextSeq: number): void
  /** The server will not have this block: a gap takes its numbers. */
  giveUp(jobId: string, firstSeq: number, reason: string): void
  /** Numbers `fromSeq` to `toSeq − 1` are on neither end any more: a gap takes them. */
  fillHole(jobId: string, fromSeq: number, toSeq: number): void
  /** The server has forgotten a job: where nothing of its log waits, a gap takes all of it. What the server has, stays. */
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
  /** The beginning of each job's log outlives the rest. */
  headBytes: number
}

const usualBudget: LogBudget = { bytes: 256 * 1024 * 1024, headBytes: 128 * 1024 }
const version = 1

/** Opens the spool in `folder`. A damaged one is thrown out of the way: logs may be lost, facts are elsewhere. */
export function openLogSpool(folder: string, log: Log, budget = usualBudget): LogSpool {
  const path = join(folder, 'logs.db')
  let store: Store
  try {
    store = openSound(path)
  } catch (error) {
    if (!isDamage(error)) throw error
    log.error({ aside: moveAside(path), err: error }, 'the log spool was damaged; it was moved aside')
    store = openSound(path)
  }
  const bell = createDoorbell()
  const headBytes = new Map<string, number>()
  let total = Number(store.one('select coalesce(sum(bytes), 0) as bytes from blocks')?.bytes)

  const insert = (jobId: string, block: CutBlock, isHead: boolean, gapBytes: number) => {
    const bytes = Buffer.byteLength(block.block)
    store.run(
      'insert into blocks (job_id, first_seq, count, started_at, block, bytes, is_head, gap_bytes) values (?, ?, ?, ?, ?, ?, ?, ?)',
      ...[jobId, block.firstSeq, block.count, block.startedAt, block.block, bytes, isHead ? 1 : 0, gapBytes],
    )
    total += bytes
  }
  const remove = (row: Row) => {
    store.run('delete from blocks where id = ?', row.id as number)
    total -= Number(row.bytes)
  }

  /** Puts a gap where the block was, joined with a gap just before it. */
  function replaceByGap(row: Row, reason: string) {
    const jobId = String(row.job_id)
    const before = store.one(
      'select * from blocks where job_id = ? and first_seq + count = ? and gap_bytes > 0',
      ...[jobId, row.first_seq as number],
    )
    const gap = {
      firstSeq: Number(before?.first_seq ?? row.first_seq),
      count: Number(row.count) + Number(before?.count ?? 0),
      bytes: Number(row.gap_bytes || row.bytes) + Number(before?.gap_bytes ?? 0),
      since: Date.parse(String(before?.started_at ?? row.started_at)),
      reason,
    }
    if (before !== undefined) remove(before)
    remove(row)
    insert(jobId, gapBlock(gap), false, gap.bytes)
  }

  function makeRoom() {
    const target = budget.bytes * 0.9
    while (total > target) {
      const rows = store.all('select * from blocks where is_head = 0 and gap_bytes = 0 order by id limit 50')
      if (rows.length === 0) return
      for (const row of rows)
        if (total > target) replaceByGap(row, 'the log waiting on this host grew too large')
    }
  }

  function fillHole(jobId: string, fromSeq: number, toSeq: number) {
    const gap = { firstSeq: fromSeq, count: toSeq - fromSeq, bytes: 0, since: Date.now() }
    insert(jobId, gapBlock({ ...gap, reason: 'this host no longer has these lines' }), true, 1)
  }

  return {
    bell,
    keep(jobId, block) {
      const head = headBytes.get(jobId) ?? 0
      const isHead = head < budget.headBytes
      if (isHead) headBytes.set(jobId, head + Buffer.byteLength(block.block))
      const before = total
      try {
        store.transaction(() => {
          insert(jobId, block, isHead, gapBytesOf(block))
          store.run(
            'insert into positions values (?, ?) on conflict (job_id) do update set next_seq = excluded.next_seq',
            ...[jobId, block.firstSeq + block.count],
          )
          if (total > budget.bytes) makeRoom()
        })
      } catch (error) {
        total = before
        log.warn({ jobId, err: error }, 'the disk of the spool did not take a part of a log')
        return false
      }
      bell.ring()
      return true
    },
    waitingJobs: () =>
      store.all('select job_id from blocks group by job_id order by max(id)').map(row => String(row.job_id)),
    oldest(jobId) {
      const row = store.one('select * from blocks where job_id = ? order by first_seq limit 1', jobId)
      return row === undefined ? undefined : toBlock(row)
    },
    taken(jobId, nextSeq) {
      store.transaction(() => {
        for (const row of store.all(
          'select * from blocks where job_id = ? and first_seq < ?',
          jobId,
          nextSeq,
        )) {
          const end = Number(row.first_seq) + Number(row.count)
          remove(row)
          // Part of it was taken before the rest became a gap: what is missing is the rest.
          if (end > nextSeq) {
            const gap = { firstSeq: nextSeq, count: end - nextSeq, bytes: Number(row.gap_bytes || row.bytes) }
            const since = Date.parse(String(row.started_at))
            const reason = 'the log waiting on this host grew too large'
            insert(jobId, gapBlock({ ...gap, since, reason }), false, gap.bytes)
          }
        }
      })
    },
    giveUp(jobId, firstSeq, reason) {
      const row = store.one('select * from blocks where job_id = ? and first_seq = ?', jobId, firstSeq)
      if (row === undefined) return
      if (Number(row.gap_bytes) > 0) remove(row)
      else store.transaction(() => replaceByGap(row, reason))
    },
    fillHole,
    owe(jobId, lastSeq) {
      const waits = store.one('select 1 from blocks where job_id = ? limit 1', jobId) !== undefined
      if (waits || lastSeq < 0) return
      fillHole(jobId, 0, lastSeq + 1)
      bell.ring()
    },
    lastSeq: jobId =>
      Number(store.one('select next_seq from positions where job_id = ?', jobId)?.next_seq ?? 0) - 1,
    forget(jobId) {
      headBytes.delete(jobId)
      store.transaction(() => {
        for (const row of store.all('select id, bytes from blocks where job_id = ?', jobId)) remove(row)
        store.run('delete from positions where job_id = ?', jobId)
      })
    },
    bytes: () => total,
    close: () => store.close(),
  }
}

function openSound(path: string): Store {
  const store = openStore(path, 'NORMAL')
  try {
    if (Number(store.one('pragma user_version')?.user_version) === 0) {
      store.transaction(() => {
        store.run(`create table blocks (
          id integer primary key, job_id text not null, first_seq integer not null, count integer not null,
          started_at text not null, block text not null, bytes integer not null, is_head integer not null,
          gap_bytes integer not null, unique (job_id, first_seq)
        ) strict`)
        store.run(
          'create table positions (job_id text primary key, next_seq integer not null) strict, without rowid',
        )
        store.run('create index blocks_evictable on blocks (id) where is_head = 0 and gap_bytes = 0')
        store.run(`pragma user_version = ${version}`)
      })
    }
    return store
  } catch (error) {
    store.close()
    throw error
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
