// The table of log blocks on a host's disk: rows in and out, what they take, and which give way when they take too much.
import { encodeGap, type LogStreamBlock } from '@restic-manager/contract/log'
import { gapBlock, type CutBlock } from './job-log.ts'
import { letShrink, openStore, type Row, type Store } from './store.ts'

/** What a row takes on disk besides its text, indexes included. Without it very small blocks would be free. */
const rowBytes = 256
/** A row takes a tenth of a millisecond to go. */
const rowsAtOnce = 200
const mostLogFileBytes = 16 * 1024 * 1024
const version = 3
/** From this one on the file can shrink. */
const shrinkingVersion = 2

const tables = `
create table if not exists blocks (
  id integer primary key, job_id text not null, first_seq integer not null, count integer not null,
  started_at text not null, block text not null, bytes integer not null, is_head integer not null,
  gap_bytes integer not null, unique (job_id, first_seq)
) strict;
create table if not exists positions (job_id text primary key, next_seq integer not null) strict, without rowid;
create table if not exists marks (
  job_id text primary key, epoch text not null, first integer not null, rest integer not null
) strict, without rowid;
create index if not exists blocks_evictable on blocks (id) where is_head = 0 and gap_bytes = 0;
create index if not exists blocks_heads on blocks (id) where is_head = 1 and gap_bytes = 0
`

/** Opens the tables. The file can shrink: a host that was offline once must not pay for it for ever. */
export function openBlocks(path: string): Store {
  const store = openStore(path, 'NORMAL')
  try {
    store.one(`pragma journal_size_limit = ${mostLogFileBytes}`)
    const found = Number(store.one('pragma user_version')?.user_version)
    if (found < version) {
      if (found < shrinkingVersion) letShrink(store)
      store.transaction(() => {
        for (const statement of tables.split(';')) store.run(statement)
        store.run(`pragma user_version = ${version}`)
      })
    }
    return store
  } catch (error) {
    store.close()
    throw error
  }
}

/** The rows of one store, with what waits of each job counted along: nothing here reads all rows twice. */
export class BlockRows {
  /** How many rows of each job there are, jobs that wrote something last at the end. */
  waiting = new Map<string, number>()
  textBytes = 0
  readonly #store: Store
  #rows = 0

  constructor(store: Store) {
    this.#store = store
    this.count()
  }

  /** What the budget is held against. */
  get bytes(): number {
    return this.textBytes + this.#rows * rowBytes
  }

  /** Counts anew, at the start and after anything that was undone. */
  count(): void {
    const jobs = this.#store.all(
      'select job_id, count(*) as n, sum(bytes) as bytes from blocks group by job_id order by max(id)',
    )
    this.waiting = new Map(jobs.map(row => [String(row.job_id), Number(row.n)]))
    this.#rows = jobs.reduce((sum, row) => sum + Number(row.n), 0)
    this.textBytes = jobs.reduce((sum, row) => sum + Number(row.bytes), 0)
  }

  /** Nothing is there any more. */
  clear(): void {
    this.waiting = new Map()
    this.#rows = 0
    this.textBytes = 0
  }

  insert(jobId: string, block: CutBlock, { isHead = false, gapBytes = 0 } = {}): void {
    const bytes = Buffer.byteLength(block.block)
    this.#store.run(
      'insert into blocks (job_id, first_seq, count, started_at, block, bytes, is_head, gap_bytes) values (?, ?, ?, ?, ?, ?, ?, ?)',
      ...[jobId, block.firstSeq, block.count, block.startedAt, block.block, bytes, isHead ? 1 : 0, gapBytes],
    )
    this.textBytes += bytes
    this.#rows += 1
    this.waiting.set(jobId, (this.waiting.get(jobId) ?? 0) + 1)
  }

  remove(row: Row): void {
    const jobId = String(row.job_id)
    this.#delete(row)
    if (this.waiting.get(jobId) === 0) this.waiting.delete(jobId)
  }

  /** Another row may take its place at once: the job keeps its own among the jobs. */
  #delete(row: Row): void {
    this.#store.run('delete from blocks where id = ?', row.id as number)
    this.textBytes -= Number(row.bytes)
    this.#rows -= 1
    const jobId = String(row.job_id)
    this.waiting.set(jobId, (this.waiting.get(jobId) ?? 1) - 1)
  }

  /** The job has written something just now. */
  moveToEnd(jobId: string): void {
    const count = this.waiting.get(jobId)
    if (count === undefined || !this.waiting.delete(jobId)) return
    this.waiting.set(jobId, count)
  }

  /** Puts a gap where the block was, joined with gaps just before and after it. */
  replaceByGap(row: Row, reason: string): void {
    const jobId = String(row.job_id)
    const [firstSeq, count] = [Number(row.first_seq), Number(row.count)]
    const before = this.#gap('first_seq + count = ?', jobId, firstSeq)
    const after = this.#gap('first_seq = ?', jobId, firstSeq + count)
    const all = [before, row, after].filter(part => part !== undefined)
    for (const part of all) this.#delete(part)
    const first = all[0] as Row
    const gap = {
      firstSeq: Number(first.first_seq),
      count: all.reduce((sum, part) => sum + Number(part.count), 0),
      bytes: all.reduce((sum, part) => sum + Number(part.gap_bytes || part.bytes), 0),
      since: Date.parse(String(first.started_at)),
    }
    this.insert(jobId, gapBlock({ ...gap, reason }), { gapBytes: gap.bytes })
  }

  #gap(where: string, jobId: string, seq: number): Row | undefined {
    return this.#store.one(
      `select * from blocks where job_id = ? and ${where} and gap_bytes > 0 limit 1`,
      ...[jobId, seq],
    )
  }

  /** Of a row the server has everything before `nextSeq`; what is left of it stays. */
  cutBefore(row: Row, nextSeq: number): void {
    const jobId = String(row.job_id)
    const taken = nextSeq - Number(row.first_seq)
    const count = Number(row.count) - taken
    if (count <= 0) return this.remove(row)
    this.#delete(row)
    const gapBytes = Number(row.gap_bytes)
    const rest =
      gapBytes > 0
        ? encodeGap(0, { count, bytes: gapBytes, reason: tooMuch })
        : String(row.block).slice(lineStart(String(row.block), taken))
    this.insert(
      jobId,
      { firstSeq: nextSeq, count, startedAt: String(row.started_at), block: rest },
      { isHead: Number(row.is_head) === 1, gapBytes },
    )
  }

  /**
   * The oldest lines give way first, then the oldest beginnings. Gaps stay: they say what is not there. Some more goes than
   * has to, but not so much at once that the agent would be deaf meanwhile.
   */
  makeRoom(mostBytes: number): void {
    let more = rowsAtOnce
    const isEnough = () => this.bytes <= mostBytes && (more <= 0 || this.bytes <= mostBytes * 0.9)
    for (const isHead of [0, 1])
      while (!isEnough()) {
        const rows = this.#store.all(
          `select * from blocks where is_head = ${isHead} and gap_bytes = 0 order by id limit 50`,
        )
        if (rows.length === 0) break
        for (const row of rows) {
          if (isEnough()) break
          this.replaceByGap(row, tooMuch)
          more -= 1
        }
      }
  }
}

const tooMuch = 'the log waiting on this host grew too large'

/** Where line number `line` of a block's text begins. */
function lineStart(text: string, line: number): number {
  let start = 0
  for (let at = 0; at < line; at += 1) start = text.indexOf('\n', start) + 1
  return start
}

/** The beginning of a block, as many whole lines as fit into `mostBytes`, one at least. */
export function beginningOf(block: LogStreamBlock, mostBytes: number): LogStreamBlock {
  if (Buffer.byteLength(block.block) <= mostBytes) return block
  let end = 0
  let count = 0
  for (let bytes = 0; ;) {
    const next = block.block.indexOf('\n', end) + 1
    if (next === 0) break
    bytes += Buffer.byteLength(block.block.slice(end, next))
    if (bytes > mostBytes && count > 0) break
    end = next
    count += 1
  }
  return { ...block, count, block: block.block.slice(0, end) }
}
