// For tests only: a database with something in every corner, empty ones to restore into, and what is in one.
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { encodeLine } from '@restic-manager/contract/log'
import { toInstant } from '@restic-manager/contract/scalars'
import type { DumpHeader } from './db/dump-file.ts'
import { readMigrations } from './db/dump-migrations.ts'
import { connect } from './db/open.ts'
import { settings } from './db/schema-server.ts'
import { fingerprintSetting } from './db/seal.ts'
import { keepProgress } from './fleet/job-progress.ts'
import { finishJob, startJob } from './fleet/job-reports.ts'
import { appendLog } from './fleet/logs.ts'
import { keepSnapshotReport } from './fleet/snapshots.ts'
import { testDatabase, type TestDatabase } from './testing-database.ts'
import { makeHost } from './testing-fleet.ts'
import { acceptSlot, applySet, fire, fireOf, finishSlot, hoursAgo, planOn } from './testing-schedules.ts'

/** A folder and a database of its own, with a fleet in it. `empty` makes another database, without any tables. */
export async function openDumpScene() {
  await using undo = new AsyncDisposableStack()
  const folder = await mkdtemp('/tmp/rm-dump-')
  undo.defer(() => rm(folder, { recursive: true, force: true }))
  const database = undo.use(await testDatabase())
  const fleet = await fillDatabase(database)
  const owned = undo.move()
  return {
    folder,
    database,
    fingerprint: database.seal.fingerprint,
    ...fleet,
    async empty() {
      const name = `e_${randomBytes(8).toString('hex')}`
      await database.sql`create database ${database.sql(name)}`
      owned.defer(async () => void (await database.sql`drop database ${database.sql(name)} with (force)`))
      const url = new URL(database.url)
      url.pathname = `/${name}`
      return url.href
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
export type DumpScene = Awaited<ReturnType<typeof openDumpScene>>

/** Two hosts with what hosts have: sessions, secrets, a plan, jobs with logs and progress, snapshots. */
async function fillDatabase({ db, seal }: TestDatabase) {
  await db.insert(settings).values({ name: fingerprintSetting, value: seal.fingerprint })
  const host = await makeHost(db, seal, 'web-1')
  await makeHost(db, seal, 'web-2')
  const { jobId } = await host.backUp()
  const header = { jobId, kind: 'backup', repositoryId: host.repositoryId } as const
  const startedAt = toInstant(Date.now())
  await startJob(db, host.sender, {
    ...host.fact(),
    ...header,
    startedAt,
    command: 'restic backup',
    resticVersion: '0.18.0',
  })
  // What text in `copy` is made of: its separators, its own escapes, its end, and more than one plane of Unicode.
  const odd = ['tab\there', 'back\\slash \\N \\.', 'line\r\nbreak', '\\.', 'ünï ☃ 🧊', '']
  const block = odd.map((line, at) => encodeLine(at, 'stdout', line)).join('')
  await appendLog(db, host.sender, { jobId, firstSeq: 0, count: odd.length, startedAt, block })
  await finishJob(db, host.sender, {
    ...host.fact(),
    ...header,
    status: 'failed',
    finishedAt: startedAt,
    error: odd.join('\n'),
    warnings: [],
    lastLogSeq: odd.length - 1,
  })
  const running = await host.backUp()
  await startJob(db, host.sender, {
    ...host.fact(),
    ...header,
    jobId: running.jobId,
    startedAt,
    command: 'restic backup',
    resticVersion: '0.18.0',
  })
  const counts = { percentDone: 0.5, filesDone: 1, totalFiles: 2, bytesDone: 1, totalBytes: 2 }
  await keepProgress(db, host.sender, { jobId: running.jobId, phase: 'running', ...counts, throughputBps: 1 })
  const id = randomBytes(32).toString('hex')
  await keepSnapshotReport(db, host.sender, {
    ...host.fact(),
    repositoryId: host.repositoryId,
    reportId: jobId,
    scope: 'own',
    page: 0,
    pages: 1,
    snapshots: [
      {
        id,
        shortId: id.slice(0, 8),
        time: startedAt,
        hostname: 'web-1',
        paths: ['/srv', '/a "quoted", {path}\\'],
        tags: [`rm-host=${host.hostId}`, `rm-job=${jobId}`],
        sizeBytes: 2 ** 40,
        fileCount: 3,
      },
    ],
  })
  const scheduleId = await planOn(db, host, { since: hoursAgo(3) })
  await applySet(db, host)
  await fire(db, host, fireOf(host, scheduleId, hoursAgo(1)))
  await acceptSlot(db, host, scheduleId, hoursAgo(1))
  await finishSlot(db, host, scheduleId, hoursAgo(1))
  return { host, jobId, scheduleId }
}

/** Every row of every table as text, and where the migrations stand. Without what a restore changes on purpose. */
export async function contentsOf(url: string): Promise<Record<string, string[]>> {
  const sql = connect(url, { max: 1 })
  const contents: Record<string, string[]> = {}
  const tables = readMigrations().at(-1)?.tables ?? []
  for (const table of tables.filter(name => name !== 'job_progress')) {
    const rows = await sql<{ row: string }[]>`
      select (to_jsonb(t) - 'session_number' - 'online')::text as row from ${sql(table)} t order by 1`
    contents[table] = rows.map(({ row }) => row)
  }
  const applied = await sql<{ hash: string }[]>`select hash from drizzle.__drizzle_migrations order by id`
  contents['migrations'] = applied.map(({ hash }) => hash)
  await sql.end()
  return contents
}

type Forgery = { title?: string; header?: (header: DumpHeader) => unknown; rows?: (rows: string) => string }

/** A copy of a dump that says something else, with a checksum that fits. */
export async function forgeDump(file: string, to: string, { title, header, rows }: Forgery) {
  const content = await readFile(file)
  const [first, second] = [content.indexOf('\n'), content.indexOf('\n', content.indexOf('\n') + 1)]
  const said = JSON.parse(content.toString('utf8', first + 1, second)) as DumpHeader
  const body = zstdDecompressSync(content.subarray(second + 1, content.lastIndexOf('\nsha256 '))).toString()
  const forged = Buffer.concat([
    Buffer.from(
      `${title ?? content.toString('utf8', 0, first)}\n${JSON.stringify(header?.(said) ?? said)}\n`,
    ),
    zstdCompressSync(rows?.(body) ?? body),
  ])
  const hash = createHash('sha256').update(forged).digest('hex')
  await writeFile(to, Buffer.concat([forged, Buffer.from(`\nsha256 ${hash}\n`)]))
}
