// The checker itself: it is silent about a run that kept every promise, and speaks when exactly one thing of it is wrong.
import { appendFileSync, cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { zstdCompressSync } from 'node:zlib'
import { newId } from '@restic-manager/contract/ids'
import type postgres from 'postgres'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { checkEvidence, judge, whatIsNotQuiet } from './checker.ts'
import { connectToRead, readWorld } from './world.ts'
import type { Evidence, Invariant } from './evidence.ts'
import {
  goodEvidence,
  jobs,
  names,
  playJob,
  runOf,
  secret,
  slots,
  writeGoodHost,
  writeGoodRows,
} from './testing-good-run.ts'

const server = inject('postgres')
const good = `checked_${newId().replaceAll('-', '')}`
const folder = mkdtempSync(path.join(tmpdir(), 'rm-checker-'))
let admin: postgres.Sql
let sql: postgres.Sql

const urlOf = (database: string) => {
  const url = new URL(server.url)
  url.pathname = `/${database}`
  return url.href
}

beforeAll(async () => {
  admin = connectToRead(server.url)
  await admin`create database ${admin(good)} template ${admin(server.template)}`
  sql = connectToRead(urlOf(good))
  await writeGoodRows(sql)
  writeGoodHost(path.join(folder, 'good'))
})

afterAll(async () => {
  await sql.end()
  await admin`drop database if exists ${admin(good)} with (force)`
  await admin.end()
  rmSync(folder, { recursive: true, force: true })
})

type Copy = {
  sql: postgres.Sql
  state: DatabaseSync
  evidence: Evidence
  ledger: (entries: object[]) => void
}

/** The good run once more, to be spoilt: its files are copied, and what is done to its rows is rolled back. */
async function withCopy(ask: (copy: Copy) => Promise<void>) {
  const home = path.join(folder, newId())
  cpSync(path.join(folder, 'good'), home, { recursive: true })
  const host = { stateDir: path.join(home, 'state'), ledgerFolder: path.join(home, 'restic') }
  const state = new DatabaseSync(path.join(host.stateDir, 'state.db'))
  const ledger = (entries: object[]) =>
    appendFileSync(
      path.join(host.ledgerFolder, 'ledger.ndjson'),
      entries.map(entry => `${JSON.stringify(entry)}\n`).join(''),
    )
  await sql`begin`
  try {
    await ask({ sql, state, ledger, evidence: goodEvidence(urlOf(good), host) })
  } finally {
    await sql`rollback`
    state.close()
  }
}

test('a run that kept every promise is quiet and has no violation', () =>
  withCopy(async ({ evidence }) => {
    expect(await whatIsNotQuiet(evidence)).toEqual([])
    expect(await checkEvidence(evidence)).toEqual([])
  }))

type Wrong = [invariant: Invariant, said: RegExp, what: string, spoil: (copy: Copy) => unknown]

const record = ({ evidence }: Copy) => {
  const [first] = evidence.simulated
  if (first === undefined) throw new Error('the good run has a simulated host')
  return first
}
const block = (text: string) => zstdCompressSync(text)

const wrongs: Wrong[] = [
  ['I1', /ran again/, 'restic ran twice for a job', ({ ledger }) => ledger(runOf('more', jobs.ran))],
  [
    'I1',
    /more than once/,
    'a simulated job began twice',
    copy => Object.assign(record(copy).jobs[0] ?? {}, { starts: 2 }),
  ],
  [
    'I1',
    /no job in the database/,
    'something ran that nobody ordered',
    ({ ledger }) => ledger(runOf('more', newId())),
  ],
  ['I1', /belongs to no job/, 'a backup carries no tag', ({ ledger }) => ledger(runOf('more', undefined))],
  [
    'I1',
    /never told that it started/,
    'a start was not told',
    ({ state }) => state.exec(`delete from facts where name = 'job.started' and job_id = '${jobs.ran}'`),
  ],
  [
    'I1',
    /does not say how that ended/,
    'a job that ran has only a guess for an end',
    ({ sql }) => sql`update jobs set status = 'lost', reported = false where id = ${jobs.ran}`,
  ],
  [
    'I1',
    /retry/,
    'a retry has an id of its own making',
    ({ sql }) => sql`update jobs set attempt = 2 where id = ${jobs.retry}`,
  ],

  [
    'I2',
    /beyond what the database has counted/,
    'a spool is counted too low',
    ({ sql }) => sql`update spools set acked_rest = 7 where host_id = ${names.host}`,
  ],
  [
    'I2',
    /does not stand/,
    'an end lost its exit code',
    ({ sql }) => sql`update jobs set exit_code = null where id = ${jobs.failed}`,
  ],
  [
    'I2',
    /does not stand/,
    'a start left no trace',
    ({ sql }) => sql`update jobs set started_at = null where id = ${jobs.ran}`,
  ],
  [
    'I2',
    /does not stand/,
    'a job that was accepted is not there',
    ({ state }) =>
      state.exec(
        `update facts set payload = json_set(payload, '$.jobId', '${newId()}') where name = 'command.result'`,
      ),
  ],
  [
    'I2',
    /does not stand/,
    'a range of slots that did not run is not there',
    ({ sql }) => sql`delete from jobs where id = ${jobs.missed}`,
  ],
  [
    'I2',
    /does not stand/,
    'nothing speaks of a slot that was fired',
    ({ state }) =>
      state.exec(
        `update facts set payload = json_set(payload, '$.scheduledAt', '2026-11-23T13:00:00.000Z') where seq = 1 and lane = 'first'`,
      ),
  ],
  [
    'I2',
    /does not stand/,
    'a run that its host decided is not there',
    ({ state }) =>
      state.exec(
        `update facts set payload = json_set(payload, '$.jobs[0].jobId', '${newId()}') where seq = 3 and lane = 'first'`,
      ),
  ],
  [
    'I2',
    /does not stand/,
    'a snapshot that was reported is not in the mirror',
    ({ sql }) => sql`delete from snapshots where host_id = ${names.host}`,
  ],
  [
    'I2',
    /took acks back/,
    'a welcome says less than was acked',
    copy => record(copy).acksTakenBack.push({ lane: 'rest', acked: 3, welcome: 2, at: 1 }),
  ],
  [
    'I2',
    /turned away for good/,
    'a true fact was set aside',
    ({ state }) => state.exec(`update facts set set_aside = 'no' where seq = 4 and lane = 'rest'`),
  ],

  [
    'I3',
    /table does not know/,
    'a job that ran was queued again',
    ({ sql }) =>
      playJob(sql, {
        id: newId(),
        host: names.host,
        path: [['queued'], ['running'], ['queued'], ['failed', true]],
      }),
  ],
  [
    'I3',
    /table does not know/,
    'a reported end was left',
    ({ sql }) => sql`update jobs set status = 'failed' where id = ${jobs.ran}`,
  ],
  [
    'I3',
    /table does not know/,
    'a reported end was removed',
    ({ sql }) => sql`delete from jobs where id = ${jobs.missed}`,
  ],
  [
    'I3',
    /table does not know/,
    'a job began in the middle',
    ({ sql }) => playJob(sql, { id: newId(), host: names.host, path: [['running'], ['failed', true]] }),
  ],
  [
    'I3',
    /not the end that stands/,
    'the end that was told is another',
    ({ sql }) => sql`update jobs set status = 'incomplete' where id = ${jobs.ordered}`,
  ],
  [
    'I3',
    /two ends/,
    'an end was told twice under two numbers',
    ({ state }) =>
      state.exec(
        `insert into facts select lane, 9, name, job_id, payload, 1, acked_at, set_aside from facts where seq = 2 and lane = 'rest'`,
      ),
  ],
  [
    'I3',
    /session that was over/,
    'an old session was believed',
    copy => record(copy).oldSessionTaken.push({ call: 'job.finished', answer: { seq: 1 }, at: 1 }),
  ],

  ['I4', /has a hole/, 'a block is missing', ({ sql }) => sql`delete from log_blocks where first_seq = 3`],
  [
    'I4',
    /has a hole/,
    'a block says another count',
    ({ sql }) => sql`update log_blocks set count = 2, first_seq = 8 where first_seq = 9`,
  ],
  [
    'I4',
    /has a hole/,
    'a block is no block',
    ({ sql }) => sql`update log_blocks set block = ${block('no block')} where first_seq = 3`,
  ],
  [
    'I4',
    /has a hole/,
    'a block cannot be unpacked',
    ({ sql }) => sql`update log_blocks set block = ${Buffer.from('garbage')} where first_seq = 3`,
  ],
  [
    'I4',
    /has a hole/,
    'the end of a log is missing',
    ({ sql }) => sql`delete from log_blocks where first_seq = 9`,
  ],
  ['I4', /has a hole/, 'all of a log is missing', ({ sql }) => sql`delete from log_blocks`],
  [
    'I4',
    /what was sent/,
    'a line says something else',
    ({ sql }) => sql`update log_blocks set block = ${block('0\to\tother words\n')} where first_seq = 9`,
  ],

  [
    'I5',
    /has no end/,
    'a job is still running',
    ({ sql }) => playJob(sql, { id: newId(), host: names.host, path: [['queued'], ['running']] }),
  ],
  [
    'I5',
    /counts as lost/,
    'a job stays lost',
    ({ sql }) => playJob(sql, { id: newId(), host: names.host, path: [['queued'], ['running'], ['lost']] }),
  ],
  [
    'I5',
    /part of a log never arrived/,
    'a log is short',
    ({ sql }) => sql`update jobs set last_log_seq = 10 where id = ${jobs.ordered}`,
  ],
  [
    'I5',
    /to be cancelled/,
    'a cancel was never answered',
    ({ sql }) =>
      playJob(sql, {
        id: newId(),
        host: names.host,
        path: [['queued'], ['cancelled']],
        row: { accepted_at: slots(1), cancel_requested_at: slots(1) },
      }),
  ],
  [
    'I5',
    /not shown as online/,
    'a connected host is shown as offline',
    ({ sql }) => sql`update hosts set online = false where id = ${names.host}`,
  ],
  [
    'I5',
    /quarantined/,
    'a host was taken for two',
    ({ sql }) => sql`update hosts set quarantined_at = now() where id = ${names.host}`,
  ],
  [
    'I5',
    /has not applied/,
    'a plan did not reach its host',
    ({ sql }) => sql`update hosts set schedule_version = schedule_version + 1 where id = ${names.host}`,
  ],
  [
    'I5',
    /Progress is shown/,
    'a bar goes on after the end',
    ({ sql }) =>
      sql`insert into job_progress ${sql({ job_id: jobs.ran, host_id: names.host, progress: sql.json({}) })}`,
  ],
  [
    'I5',
    /never acked/,
    'a fact waits',
    ({ state }) => state.exec(`update facts set acked_at = null where seq = 8`),
  ],
  [
    'I5',
    /job without an end/,
    'an agent holds a job',
    ({ state }) => state.exec(`update jobs set state = 'running' where id = '${jobs.ran}'`),
  ],
  [
    'I5',
    /parts of a log/,
    'an agent holds a block',
    copy => Object.assign(record(copy).logs[0] ?? {}, { acked: false }),
  ],

  [
    'I6',
    /has no outcome/,
    'a slot is forgotten',
    ({ sql }) => sql`delete from jobs where id = ${jobs.skipped}`,
  ],
  [
    'I6',
    /more than one outcome/,
    'a slot ran inside a range that did not',
    ({ sql }) =>
      playJob(sql, {
        id: newId(),
        host: names.host,
        path: [['queued'], ['failed', true]],
        row: { schedule_id: names.schedule, scheduled_for: slots(3) },
      }),
  ],
  ['I6', /counts as not run/, 'a skipped slot ran', ({ ledger }) => ledger(runOf('more', jobs.skipped))],
  [
    'I6',
    /another id/,
    'a slot stands under an id that is not derived',
    ({ sql }) =>
      playJob(sql, {
        id: newId(),
        host: names.host,
        path: [['missed']],
        row: { schedule_id: names.schedule, scheduled_for: slots(6) },
      }),
  ],
  [
    'I6',
    /another number of slots/,
    'a range is miscounted',
    ({ sql }) => sql`update jobs set slot_count = 3 where id = ${jobs.missed}`,
  ],
  [
    'I6',
    /count anew/,
    'counting began again for nothing',
    ({ sql }) => sql`update schedules set counted_from = ${slots(1)} where id = ${names.schedule}`,
  ],

  [
    'I7',
    /tie them together/,
    'a table takes jobs of any host',
    ({ sql }) => sql`create table loose (job_id uuid references jobs, host_id uuid references hosts)`,
  ],
  ['I7', /not tied to/, 'a table takes any host', ({ sql }) => sql`create table looser (host_id uuid)`],
  [
    'I7',
    /another host than its job/,
    'a snapshot stands under another host',
    ({ sql }) => sql`update snapshots set host_id = ${names.simulated} where job_id = ${jobs.ran}`,
  ],
  [
    'I7',
    /than the one that ran it/,
    'a job stands under another host',
    ({ sql }) => sql`update jobs set host_id = ${names.simulated} where id = ${jobs.retry}`,
  ],

  [
    'I8',
    /secret/,
    'a password stands in a text',
    ({ sql }) => sql`update jobs set error = ${`wrong password ${secret}`} where id = ${jobs.failed}`,
  ],
  [
    'I8',
    /secret/,
    'a password stands inside JSON',
    ({ sql }) =>
      sql`update jobs set spec = ${sql.json({ options: { password: secret } })} where id = ${jobs.failed}`,
  ],
  [
    'I8',
    /secret/,
    'a password stands in a compressed log',
    ({ sql }) => sql`update log_blocks set block = ${block(`0\to\t${secret}\n`)} where first_seq = 9`,
  ],
  [
    'I8',
    /secret/,
    'a password was printed',
    ({ evidence }) => evidence.outputs.push({ name: 'agent', text: `using ${secret}` }),
  ],
  [
    'I8',
    /secret/,
    'a password was an argument',
    ({ ledger }) => ledger(runOf('more', jobs.ran, 1, [`--password-command=echo ${secret}`])),
  ],
  [
    'I8',
    /secret/,
    'a password is in the spool',
    ({ state }) => state.prepare(`insert into meta values ('access', ?)`).run(secret),
  ],

  [
    'I9',
    /more memory/,
    'a program took too much',
    ({ evidence }) => evidence.memory.push({ name: 'agent', samples: [{ at: 1, rssBytes: 2 ** 31 }] }),
  ],
  [
    'I9',
    /more memory/,
    'a program grows and grows',
    ({ evidence }) =>
      evidence.memory.push({
        name: 'agent',
        samples: Array.from({ length: 40 }, (_, at) => ({ at, rssBytes: at * 12 * 1024 ** 2 })),
      }),
  ],

  [
    'I10',
    /mistake of its own/,
    'a program says that nobody caught something',
    ({ evidence }) =>
      evidence.outputs.push({ name: 'server', text: 'x\n{"msg":"an error that nobody caught"}\n' }),
  ],
  [
    'I10',
    /nobody ended it/,
    'a program ended by itself',
    ({ evidence }) =>
      evidence.exits.push({ name: 'server', code: 1, signal: null, at: slots(2), caused: false }),
  ],
  [
    'I10',
    /contract does not know/,
    'an agent was told nonsense',
    copy => record(copy).misunderstood.push({ what: 'job.finished', why: 'no seq' }),
  ],
]

test.each(wrongs)('%s is seen to be broken: %s when %s', (invariant, said, _what, spoil) =>
  withCopy(async copy => {
    await spoil(copy)
    const found = await judge(await readWorld(copy.evidence, copy.sql))
    expect(found).toContainEqual({
      invariant,
      sentence: expect.stringMatching(said),
      rows: expect.any(Array),
    })
  }),
)
