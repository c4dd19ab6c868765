// I4: the log of a job is gapless by number, or the gap is a block that says so; and it holds what was sent.
import { zstdDecompressSync } from 'node:zlib'
import { decodeBlock, type LogEntry, type LogStreamBlock } from '@restic-manager/contract/log'
import { glance, shownBy, type Check, type JobRow, type World } from './world.ts'

const MOST_BLOCK_BYTES = 4 * 1024 * 1024

type BlockRow = {
  jobId: string
  hostId: string
  firstSeq: number
  count: number
  startedAt: Date
  block: Buffer
}

/** Reads the blocks of all jobs in their order and hands each log over whole, decoded where it can be. */
export async function* readLogs({
  sql,
  jobs,
}: World): AsyncGenerator<{ jobId: string; row: JobRow | undefined; entries: LogEntry[]; faults: string[] }> {
  const rows = sql<BlockRow[]>`
    select job_id as "jobId", host_id as "hostId", first_seq::float8 as "firstSeq", count::float8 as count, started_at as "startedAt", block
    from log_blocks order by job_id, first_seq`.cursor(200)
  let reading: { jobId: string; blocks: BlockRow[] } | undefined
  for await (const batch of rows)
    for (const row of batch) {
      if (reading !== undefined && reading.jobId !== row.jobId) yield decoded(reading, jobs)
      if (reading?.jobId === row.jobId) reading.blocks.push(row)
      else reading = { jobId: row.jobId, blocks: [row] }
    }
  if (reading !== undefined) yield decoded(reading, jobs)
}

function decoded({ jobId, blocks }: { jobId: string; blocks: BlockRow[] }, jobs: World['jobs']) {
  const row = jobs.get(jobId)
  const faults: string[] = []
  const entries: LogEntry[] = []
  let next = 0
  for (const { firstSeq, count, startedAt, block, hostId } of blocks) {
    if (firstSeq !== next) faults.push(`after ${next - 1} comes ${firstSeq}`)
    if (row !== undefined && hostId !== row.hostId) faults.push(`block ${firstSeq} belongs to host ${hostId}`)
    try {
      const text = zstdDecompressSync(block, { maxOutputLength: MOST_BLOCK_BYTES }).toString('utf8')
      entries.push(...decodeBlock({ firstSeq, count, startedAt: startedAt.toISOString(), block: text }))
    } catch (error) {
      faults.push(`block ${firstSeq} cannot be read: ${String(error)}`)
    }
    next = firstSeq + count
  }
  return { jobId, row, entries, faults: [...faults, ...faultsOfEnd(row, next)] }
}

function faultsOfEnd(row: JobRow | undefined, next: number): string[] {
  if (row === undefined) return ['its job is not there']
  return [
    ...(row.nextLogSeq === next
      ? []
      : [`the blocks end before ${next}, and the row expects ${row.nextLogSeq}`]),
    ...(row.lastLogSeq === null || next === row.lastLogSeq + 1
      ? []
      : [`the blocks end before ${next}, and the agent said that ${row.lastLogSeq} is the last`]),
  ]
}

export const checkLogs: Check = async world => {
  const torn: unknown[] = []
  const changed: unknown[] = []
  const sent = new Map(
    world.evidence.simulated.flatMap(({ logs }) => logs.map(({ jobId, blocks }) => [jobId, blocks] as const)),
  )
  const seen = new Set<string>()
  for await (const { jobId, row, entries, faults } of readLogs(world)) {
    seen.add(jobId)
    if (faults.length > 0) torn.push({ jobId, faults })
    const blocks = sent.get(jobId)
    if (row !== undefined && blocks !== undefined) changed.push(...differences(jobId, blocks, entries))
  }
  for (const row of world.jobs.values())
    if (!seen.has(row.id) && !row.logRemoved && faultsOfEnd(row, 0).length > 0)
      torn.push({ ...glance(row), faults: faultsOfEnd(row, 0) })
  return [
    ...shownBy('I4', 'A log has a hole, or is not what its numbers say.', torn),
    ...shownBy('I4', 'A log does not hold what was sent.', changed),
  ]
}

/** Where the stored log differs from the blocks that were sent, at the first place. */
function differences(
  jobId: string,
  blocks: readonly LogStreamBlock[],
  entries: readonly LogEntry[],
): unknown[] {
  const wanted = blocks.flatMap(block => decodeBlock(block))
  const at = entries.findIndex((entry, index) => wordOf(entry) !== wordOf(wanted[index]))
  return at === -1 ? [] : [{ jobId, at, stored: entries[at], sent: wanted[at] }]
}

const wordOf = (entry: LogEntry | undefined) => JSON.stringify(entry)
