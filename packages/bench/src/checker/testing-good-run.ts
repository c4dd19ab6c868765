// For tests of the checker only: a small run in which every promise was kept, as rows, spools, a ledger and a record.
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { zstdCompressSync } from 'node:zlib'
import type { SimulatedRecord } from '../simulator/record.ts'
import { encodeGap, encodeLine } from '@restic-manager/contract/log'
import { retryJobId, slotJobId } from '@restic-manager/contract/slots'
import type postgres from 'postgres'
import { watchDatabase } from './watch.ts'
import type { Evidence } from './evidence.ts'

const id = (n: number) => `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`

/** The one secret of the run. */
export const secret = 'canary-0123456789abcdef'

/** Everything that has a name in the run. The schedule fires every minute; its host is a real one, the other is simulated. */
export const names = {
  ...{
    host: id(1),
    simulated: id(2),
    repository: id(3),
    schedule: id(4),
    epoch: id(5),
    simulatedEpoch: id(6),
  },
  order: id(10),
}
const minute = (n: number) => new Date(Date.UTC(2026, 10, 23, 12, n))
const slotJob = (n: number) => slotJobId(names.schedule, minute(n).toISOString(), names.repository)

/** `ran` at 12:01, `skipped` at 12:02, `missed` from 12:03 to 12:04, `failed` at 12:05 with a `retry`. */
export const jobs = {
  ...{ ran: slotJob(1), skipped: slotJob(2), missed: slotJob(4), failed: slotJob(5) },
  ...{ retry: retryJobId(slotJob(5), 1), ordered: names.order },
}
export const slots = minute

type Played = {
  id: string
  host: string
  path: [status: string, reported?: boolean][]
  row?: Record<string, unknown>
}

/** Fills a database that is migrated and empty, the watch included. */
export async function writeGoodRows(sql: postgres.Sql): Promise<void> {
  await watchDatabase(sql)
  const { host, simulated, repository, schedule, epoch, simulatedEpoch } = names
  for (const [hostId, name] of [
    [host, 'real'],
    [simulated, 'simulated'],
  ] as const)
    await sql`insert into hosts ${sql({ ...{ id: hostId, name, hostname: name, public_key: name, online: true, applied_config_version: 1, config_version: 1, applied_schedule_version: 1, schedule_version: 1 } })}`
  await sql`insert into repositories ${sql({ id: repository, name: 'store', kind: 'local', url: '/srv/store' })}`
  for (const hostId of [host, simulated])
    await sql`insert into host_repositories ${sql({ host_id: hostId, repository_id: repository })}`
  await sql`insert into schedules ${sql({
    ...{ id: schedule, host_id: host, name: 'every minute', kind: 'backup', repository_ids: [repository] },
    ...{ enabled: true, manual: false, cron: '* * * * *', time_zone: 'UTC', definition: sql.json({}) },
    ...{
      counted_cron: '* * * * *',
      counted_time_zone: 'UTC',
      counted_from: minute(0),
      updated_at: minute(0),
    },
  })}`
  await sql`insert into spools ${sql([
    { host_id: host, epoch, acked_first: 3, acked_rest: 8 },
    { host_id: simulated, epoch: simulatedEpoch, acked_first: 1, acked_rest: 3 },
  ])}`
  const slot = (n: number) => ({ schedule_id: schedule, scheduled_for: minute(n) })
  const run = { command: 'restic backup', started_at: minute(1), accepted_at: minute(1), last_log_seq: -1 }
  await playJob(sql, {
    id: jobs.ran,
    host,
    row: { ...slot(1), ...run, exit_code: 0 },
    path: ends('succeeded'),
  })
  await playJob(sql, { id: jobs.skipped, host, row: slot(2), path: [['missed'], ['skipped']] })
  const range = { ...slot(4), not_run_from: minute(3), slot_count: 2, reason: 'host_was_off' }
  await playJob(sql, { id: jobs.missed, host, row: range, path: [['missed', true]] })
  const failure = { ...run, exit_code: 1, reason: 'unreachable' }
  await playJob(sql, { id: jobs.failed, host, row: { ...slot(5), ...failure }, path: ends('failed') })
  const again = { ...slot(5), ...run, exit_code: 0, retry_of: jobs.failed, attempt: 1 }
  await playJob(sql, { id: jobs.retry, host, row: again, path: ends('succeeded') })
  const ordered = { ...run, exit_code: 0, last_log_seq: 9, next_log_seq: 10 }
  await playJob(sql, { id: jobs.ordered, host: simulated, row: ordered, path: ends('succeeded') })
  await writeLog(sql)
  await sql`insert into snapshots ${sql([snapshotRow('a', host, jobs.ran), snapshotRow('b', simulated, jobs.ordered)])}`
}

const ends = (status: string): Played['path'] => [
  ['queued'],
  ['accepted'],
  ['running'],
  ['lost'],
  ['running'],
  [status, true],
]

/** Makes a row as its path leads it. */
export async function playJob(
  sql: postgres.Sql,
  { id: jobId, host, path: [first, ...rest], row = {} }: Played,
): Promise<void> {
  const [status, reported = false] = first ?? ['queued']
  await sql`insert into jobs ${sql({
    ...{ id: jobId, host_id: host, repository_id: names.repository, kind: 'backup', spec: sql.json({}) },
    ...{ status, reported, released_at: minute(0), ...row },
  })}`
  for (const [status, reported = false] of rest)
    await sql`update jobs set ${sql({ status, reported })} where id = ${jobId}`
}

const snapshotId = (letter: string) => letter.repeat(64)

function snapshotRow(letter: string, hostId: string, jobId: string) {
  const named = { id: snapshotId(letter), short_id: letter.repeat(8), host_id: hostId, job_id: jobId }
  const at = { taken_at: minute(1), hostname: 'host', paths: ['/data'], tags: [`rm-job=${jobId}`] }
  return { repository_id: names.repository, ...named, ...at, size_bytes: 0, file_count: 0 }
}

const startedAt = minute(1).toISOString()
const jobId = jobs.ordered
const blocks = [
  {
    jobId,
    firstSeq: 0,
    count: 3,
    startedAt,
    block: encodeLine(0, 'stdout', 'one') + encodeLine(1, 'stderr', 'two') + encodeLine(2, 'event', '{}'),
  },
  {
    jobId,
    firstSeq: 3,
    count: 6,
    startedAt,
    block: encodeGap(0, { count: 5, bytes: 200, reason: 'too much' }) + encodeLine(1, 'stdout', 'eight'),
  },
  { jobId, firstSeq: 9, count: 1, startedAt, block: encodeLine(0, 'stdout', 'last\twords') },
]

async function writeLog(sql: postgres.Sql) {
  await sql`create table log_blocks_test partition of log_blocks for values from ('2026-11-23') to ('2026-11-24')`
  for (const { firstSeq, count, startedAt, block } of blocks)
    await sql`insert into log_blocks ${sql({
      ...{ day: '2026-11-23', job_id: jobs.ordered, host_id: names.simulated, first_seq: firstSeq, count },
      ...{ started_at: startedAt, block: zstdCompressSync(block) },
    })}`
}

const told = (lane: 'first' | 'rest', seq: number) => ({ lane, seq, occurredAt: startedAt })
const headerOf = (jobId: string) => ({ jobId, kind: 'backup' as const, repositoryId: names.repository })
const started = (jobId: string) => ({
  ...headerOf(jobId),
  startedAt,
  command: 'restic backup',
  resticVersion: '0.18.0',
})
const finished = (jobId: string, status: string, exitCode: number, lastLogSeq = -1) => ({
  ...{ ...headerOf(jobId), status, exitCode, lastLogSeq, finishedAt: startedAt, warnings: [] },
})
const report = (letter: string) => ({
  ...{ repositoryId: names.repository, reportId: id(20), scope: 'own', page: 0, pages: 1 },
  snapshots: [{ id: snapshotId(letter) }],
})
const fire = (n: number) => ({
  scheduleId: names.schedule,
  scheduleVersion: 1,
  scheduledAt: minute(n).toISOString(),
})
const notRun = {
  ...{ scheduleId: names.schedule, scheduleVersion: 1, repositoryIds: [names.repository], outcome: 'missed' },
  ...{ from: minute(3).toISOString(), to: minute(4).toISOString(), count: 2, reason: 'host_was_off' },
}

/** What the real host holds on its disk, and what its restic really ran. Answers the folder of the ledger. */
export function writeGoodHost(folder: string): { stateDir: string; ledgerFolder: string } {
  const stateDir = path.join(folder, 'state')
  const ledgerFolder = path.join(folder, 'restic')
  for (const each of [stateDir, ledgerFolder]) mkdirSync(each, { recursive: true })
  const state = new DatabaseSync(path.join(stateDir, 'state.db'))
  state.exec(`create table meta (name text, value text);
    create table facts (lane text, seq integer, name text, job_id text, payload text, created_at integer, acked_at integer, set_aside text);
    create table jobs (id text, state text, status text, place integer)`)
  state.prepare(`insert into meta values ('spoolEpoch', ?)`).run(names.epoch)
  const add = state.prepare('insert into facts values (?, ?, ?, ?, ?, 1, 1, null)')
  const facts = [
    ['first', 1, 'schedule.fire', { ...fire(1), decidedBy: 'server' }],
    ['first', 2, 'command.result', { ...headerOf(jobs.ran), accepted: true }],
    ['first', 3, 'schedule.fire', { ...fire(5), decidedBy: 'agent', jobs: [{ jobId: jobs.failed }] }],
    ['rest', 1, 'job.started', started(jobs.ran)],
    ['rest', 2, 'job.finished', finished(jobs.ran, 'succeeded', 0)],
    ['rest', 3, 'snapshots.report', report('a')],
    ['rest', 4, 'schedule.notRun', notRun],
    ['rest', 5, 'job.started', started(jobs.failed)],
    ['rest', 6, 'job.finished', finished(jobs.failed, 'failed', 1)],
    ['rest', 7, 'job.started', started(jobs.retry)],
    ['rest', 8, 'job.finished', finished(jobs.retry, 'succeeded', 0)],
  ] as const
  for (const [lane, seq, name, payload] of facts)
    add.run(lane, seq, name, 'jobId' in payload ? payload.jobId : null, JSON.stringify(payload))
  for (const jobId of [jobs.ran, jobs.failed, jobs.retry])
    state.prepare(`insert into jobs values (?, 'ended', 'succeeded', 1)`).run(jobId)
  state.close()
  const logs = new DatabaseSync(path.join(stateDir, 'logs.db'))
  logs.exec('create table blocks (job_id text, block text, bytes integer)')
  logs.close()
  const entries = [jobs.ran, jobs.failed, jobs.retry].flatMap((jobId, n) => runOf(`run-${n}`, jobId))
  writeFileSync(
    path.join(ledgerFolder, 'ledger.ndjson'),
    entries.map(entry => `${JSON.stringify(entry)}\n`).join(''),
  )
  return { stateDir, ledgerFolder }
}

/** One run of restic as its ledger tells it. */
export function runOf(run: string, jobId: string | undefined, exitCode = 0, more: string[] = []): object[] {
  const argv = ['backup', '--json', ...more, ...(jobId === undefined ? [] : ['--tag', `rm-job=${jobId}`])]
  const began = { event: 'started', pid: 1, argv, env: {}, repository: '/srv/store', paths: ['/data'] }
  return [
    { run, at: startedAt, ...began },
    { run, at: startedAt, event: 'ended', exitCode, signal: null },
  ]
}

/** What the simulated host remembers. */
export function goodRecord(): SimulatedRecord {
  const { simulated: hostId, simulatedEpoch: epoch } = names
  const facts: [SimulatedRecord['facts'][number]['name'], 'first' | 'rest', number, object][] = [
    ['command.result', 'first', 1, { ...headerOf(jobs.ordered), accepted: true }],
    ['job.started', 'rest', 1, started(jobs.ordered)],
    ['job.finished', 'rest', 2, finished(jobs.ordered, 'succeeded', 0, 9)],
    ['snapshots.report', 'rest', 3, report('b')],
  ]
  return {
    ...{ hostId, hostname: 'simulated', epoch, connected: true },
    facts: facts.map(([name, lane, seq, message]) => ({
      name,
      epoch,
      ackedAt: 1,
      message: { ...message, ...told(lane, seq) },
    })),
    jobs: [
      {
        header: headerOf(jobs.ordered),
        state: 'ended',
        starts: 1,
        end: { status: 'succeeded', lastLogSeq: 9 },
      },
    ],
    logs: [{ jobId: jobs.ordered, acked: true, blocks }],
    ...{
      orders: [],
      oldSession: { told: 0, refused: 0 },
      oldSessionTaken: [],
      acksTakenBack: [],
      misunderstood: [],
    },
  }
}

/** The evidence of the good run. */
export function goodEvidence(
  databaseUrl: string,
  host: { stateDir: string; ledgerFolder: string },
): Evidence {
  return {
    databaseUrl,
    realAgents: [{ hostId: names.host, stateDir: host.stateDir }],
    ledgerFolders: [host.ledgerFolder],
    simulated: [goodRecord()],
    connectedHostIds: [names.host, names.simulated],
    outputs: [{ name: 'server', text: 'ready http://127.0.0.1:1' }],
    exits: [{ name: 'agent', code: null, signal: 'SIGKILL', at: minute(3), caused: true }],
    memory: [
      {
        name: 'server',
        samples: Array.from({ length: 40 }, (_, at) => ({ at, rssBytes: (100 + at) * 1024 * 1024 })),
      },
    ],
    secrets: [{ name: 'the password', value: secret }],
    since: minute(0),
    until: minute(5),
  }
}
