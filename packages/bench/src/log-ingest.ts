// Lines of logs a second on their way to PostgreSQL, by the server's own intake and by psql's \copy of the same lines; and what they take.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { type LogStore, openLogStore } from '@restic-manager/server/testing'
import { type Figure, median, rounded } from './measure/figure.ts'
import { blocksOf, makeLine, makeShare } from './measure/log-lines.ts'
import { hasPsql, runPsql } from './measure/psql.ts'

const fullLines = 400_000
/** Jobs that speak at the same time, of one block in flight each: as many as the server writes at once. */
const jobsAtOnce = 4
const goalShare = 0.6
const goalBytes = 45

type Options = { runs: number; scale: number }

/**
 * Ours: each block is checked, compressed, appended in its own transaction and told of, for four jobs at once. The limit: psql copies
 * all the lines in one transaction into a table of lines without any index, on the same server, in turn with ours.
 */
export const benchLogIngest = (options: Options): Promise<Figure[]> =>
  withLines(options, async (store, lines, file) => {
    const took = { ours: [] as number[], limit: [] as number[] }
    for (let turn = -1; turn < options.runs; turn += 1) {
      const speakers = await speakersOf(store, lines)
      const ours = await timed(store, () => ingest(store, speakers))
      const limit = await timed(store, () => copyLines(store, file))
      if (turn < 0) continue
      took.ours.push(lines.length / ours)
      took.limit.push(lines.length / limit)
    }
    const [ours, limit] = [median(took.ours), median(took.limit)]
    return [
      {
        name: 'log-ingest',
        unit: 'lines a second',
        ...{ ours: rounded(ours), limit: rounded(limit), ratio: rounded(ours / limit) },
        ...{ goal: goalShare, ok: ours / limit >= goalShare },
      },
    ]
  })

/** Bytes on disk for a line of 120 characters with all indexes, of ours and of a table of lines without any. */
export const benchLogDisk = (options: Options): Promise<Figure[]> =>
  withLines(options, async (store, lines, file) => {
    const day = '2026-01-05'
    await ingest(store, await speakersOf(store, lines, day))
    await copyLines(store, file)
    const [plain] = await store.db.execute<{ bytes: string }>(
      sql`select pg_total_relation_size('bench_lines')::text as bytes`,
    )
    const ours = (await store.bytesOf(day)) / lines.length
    const limit = Number(plain?.bytes) / lines.length
    return [
      {
        name: 'log-disk',
        unit: 'bytes a line',
        ...{ ours: rounded(ours), limit: rounded(limit), ratio: rounded(ours / limit) },
        ...{ goal: goalBytes, ok: ours <= goalBytes },
      },
    ]
  })

async function withLines(
  { scale }: Options,
  work: (store: LogStore, lines: string[], file: string) => Promise<Figure[]>,
): Promise<Figure[]> {
  if (!(await hasPsql())) {
    process.stderr.write('There is no psql here, so nothing to measure logs against: left out.\n')
    return []
  }
  const folder = await mkdtemp(join(os.tmpdir(), 'rm-bench-'))
  try {
    await using store = await openLogStore(join(folder, 'server'))
    const share = makeShare(1)
    const lines = Array.from({ length: Math.round(fullLines * scale) }, () => makeLine(share))
    await store.db.execute(
      sql`create table bench_lines (job_id uuid, seq bigint, ts timestamptz(3), stream "char", payload text)`,
    )
    const file = join(folder, 'lines')
    const jobId = '019ac6f0-0000-7000-8000-000000000001'
    const begun = Date.parse(startedAt)
    await writeFile(
      file,
      lines.map((line, seq) => `${jobId}\t${seq}\t${new Date(begun + seq).toISOString()}\to\t${line}\n`),
    )
    return await work(store, lines, file)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const startedAt = '2026-01-05T01:00:00.000Z'

/** The blocks of each job, its share of the lines. */
async function speakersOf(store: LogStore, lines: readonly string[], day?: string) {
  const each = Math.ceil(lines.length / jobsAtOnce)
  return Promise.all(
    Array.from({ length: jobsAtOnce }, async (_, at) =>
      blocksOf(await store.newJob(day), startedAt, lines.slice(at * each, (at + 1) * each)),
    ),
  )
}

async function ingest(store: LogStore, speakers: Awaited<ReturnType<typeof speakersOf>>): Promise<void> {
  await Promise.all(
    speakers.map(async blocks => {
      for (const block of blocks) await store.append(block)
    }),
  )
}

async function copyLines(store: LogStore, file: string): Promise<void> {
  await store.db.execute(sql`truncate bench_lines`)
  await runPsql(store.url, `\\copy bench_lines from '${file}'`)
}

/** Seconds. What was written before goes to disk first, so that nobody pays for somebody else. */
async function timed(store: LogStore, work: () => Promise<unknown>): Promise<number> {
  await store.db.execute(sql`checkpoint`)
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1_000
}
