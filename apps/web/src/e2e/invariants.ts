// What must be true after any fault, asked of the database, the agent's own records and restic's ledger.
import { zstdDecompressSync } from 'node:zlib'
import type { TestAgent } from '@restic-manager/agent/testing'
import { hasEnded, nextStatuses, provisionalStatuses, type JobStatus } from '@restic-manager/contract/job'
import { decodeBlock } from '@restic-manager/contract/log'
import type { TestServer } from '@restic-manager/server/testing'
import type { FakeRestic } from '@restic-manager/testkit/fake-restic'
import { until } from '@restic-manager/testkit/until'
import { expect } from 'vitest'

type Db = TestServer['db']
type Checked = { server: TestServer; agent: TestAgent; restic: FakeRestic }

/** From now on the database keeps every status any job takes, so that a path can be judged and not only its end. */
export async function recordStatuses(db: Db): Promise<void> {
  const statements = [
    `create schema watch`,
    `create table watch.moves (at bigint generated always as identity, job_id uuid, status text, reported boolean)`,
    `create function watch.note() returns trigger language plpgsql as $$ begin
       if tg_op = 'INSERT' or (old.status, old.reported) is distinct from (new.status, new.reported) then
         insert into watch.moves (job_id, status, reported) values (new.id, new.status, new.reported);
       end if;
       return null;
     end $$`,
    `create trigger note after insert or update on jobs for each row execute function watch.note()`,
  ]
  for (const statement of statements) await db.execute(statement)
}

/** The statuses a job has had, in order. */
export async function pathOf(db: Db, jobId: string): Promise<JobStatus[]> {
  return (await movesOf(db, jobId)).map(({ status }) => status)
}

async function movesOf(db: Db, jobId: string): Promise<{ status: JobStatus; reported: boolean }[]> {
  return [
    ...(await db.execute<{ status: JobStatus; reported: boolean }>(
      `select status, reported from watch.moves where job_id = '${jobId}' order by at`,
    )),
  ]
}

type JobRow = {
  id: string
  host_id: string
  status: JobStatus
  reported: boolean
  next_log_seq: string
  last_log_seq: string | null
}

const jobRows = async (db: Db) => [
  ...(await db.execute<JobRow>(
    `select id, host_id, status, reported, next_log_seq, last_log_seq from jobs order by created_at, id`,
  )),
]

/** Waits for quiet, then asserts the invariants of a run in which one agent with one restic was all there was. */
export async function checkInvariants({ server, agent, restic }: Checked): Promise<void> {
  const jobs = await quietJobs(server, agent)
  checkRuns(jobs, agent, restic)
  await checkFacts(server, agent, jobs)
  for (const job of jobs) {
    await checkPath(server.db, job)
    await checkLog(server.db, job)
  }
  await checkOwners(server.db, agent)
  expect(server.log()).not.toMatch(/nobody caught|unhandled/i)
  expect(agent.output()).not.toMatch(/uncaught|unhandled|mistake of the agent/i)
}

/** I5: everything ends, every fact is told, and every line that was promised arrives. */
async function quietJobs({ db }: TestServer, agent: TestAgent): Promise<JobRow[]> {
  await until(
    () => agent.status().spool,
    spool => spool?.waiting === 0 && spool.logBytes === 0,
    // A look reads every block that waits: often would be a load of its own.
    { what: 'the spool to be empty', timeoutMs: 100_000, everyMs: 300 },
  )
  expect(agent.status().spool?.setAside).toEqual([])
  const isQuiet = (job: JobRow) =>
    hasEnded(job.status) && (job.last_log_seq === null || Number(job.next_log_seq) > Number(job.last_log_seq))
  await until(
    () => jobRows(db),
    rows => rows.every(isQuiet),
    { what: 'every job to have ended with its whole log', timeoutMs: 60_000 },
  )
  return jobRows(db)
}

/** I1: a job starts at most once, and nothing runs that is no job. */
function checkRuns(jobs: JobRow[], agent: TestAgent, restic: FakeRestic): void {
  const ran = restic.runs('backup').map(({ argv }) => jobIn(argv))
  expect(ran.filter((id, at) => ran.indexOf(id) !== at)).toEqual([])
  expect(ran.filter(id => !jobs.some(job => job.id === id))).toEqual([])
  const told = new Set(
    agent.facts().flatMap(({ name, message }) => (name === 'job.started' ? message.jobId : [])),
  )
  expect(ran.filter(id => id !== undefined && !told.has(id))).toEqual([])
}

const jobIn = (argv: readonly string[]) => /rm-job=([0-9a-f-]{36})/.exec(argv.join(' '))?.[1]

/** I2: what was acknowledged is committed: in the count of the spool, and in the row it speaks of. */
async function checkFacts({ db }: TestServer, agent: TestAgent, jobs: JobRow[]): Promise<void> {
  const look = async () => {
    const facts = agent.facts()
    const [spool] = await db.execute<{ first: string; rest: string }>(
      `select acked_first as first, acked_rest as rest from spools where host_id = '${agent.hostId}' and epoch = '${agent.status().spool?.epoch}'`,
    )
    return { facts, told: { first: Number(spool?.first), rest: Number(spool?.rest) } }
  }
  // The list of snapshots is told some time after the end of its job.
  const { facts } = await until(
    look,
    ({ facts, told }) =>
      facts.every(({ acked }) => acked) &&
      told.first === lastOf(facts, 'first') &&
      told.rest === lastOf(facts, 'rest'),
    { what: 'every fact to be acked and counted' },
  )
  const ends = facts.flatMap(({ name, message }) => (name === 'job.finished' ? message : []))
  expect(new Set(ends.map(({ jobId }) => jobId)).size).toBe(ends.length)
  for (const { jobId, status } of ends)
    expect(jobs.find(job => job.id === jobId)).toMatchObject({
      status,
      reported: true,
      host_id: agent.hostId,
    })
}

const lastOf = (facts: ReturnType<TestAgent['facts']>, lane: 'first' | 'rest') =>
  Math.max(0, ...facts.flatMap(({ message }) => (message.lane === lane ? message.seq : [])))

/** I3: statuses follow the table, guesses give way to facts, and a reported end is never left. */
async function checkPath(db: Db, { id }: JobRow): Promise<void> {
  const moves = await movesOf(db, id)
  // Of a slot the first thing known may be that it did not run.
  expect(['queued', 'missed', 'skipped']).toContain(moves[0]?.status)
  for (const [at, { status }] of moves.entries()) {
    const before = moves[at - 1]
    if (before === undefined || (before.status === status && !before.reported)) continue
    const next: readonly JobStatus[] = nextStatuses[before.status]
    const isGuess = (provisionalStatuses as readonly JobStatus[]).includes(before.status)
    expect({ id, moves, legal: !before.reported && (isGuess || next.includes(status)) }).toMatchObject({
      legal: true,
    })
  }
}

/** I4: the blocks of a log follow each other without a hole, each holds what it says, and the last is the last. */
async function checkLog(db: Db, job: JobRow): Promise<void> {
  const blocks = await db.execute<{ first_seq: string; count: string; host_id: string; block: Buffer }>(
    `select first_seq, count, host_id, block from log_blocks where job_id = '${job.id}' order by first_seq`,
  )
  let next = 0
  for (const row of blocks) {
    expect({ job: job.id, at: Number(row.first_seq) }).toEqual({ job: job.id, at: next })
    expect(row.host_id).toBe(job.host_id)
    const block = zstdDecompressSync(row.block).toString('utf8')
    // Throws when the block does not hold as many lines as it says.
    decodeBlock({ firstSeq: next, count: Number(row.count), startedAt: new Date(0).toISOString(), block })
    next += Number(row.count)
  }
  expect(next).toBe(Number(job.next_log_seq))
  if (job.last_log_seq !== null) expect(next).toBe(Number(job.last_log_seq) + 1)
}

/** I7: every row that speaks of a job or a snapshot belongs to the host of that job. */
async function checkOwners(db: Db, agent: TestAgent): Promise<void> {
  const strays = await db.execute(`
    select 'job' as what, id::text from jobs where host_id <> '${agent.hostId}'
    union all select 'progress', job_id::text from job_progress p where not exists (select 1 from jobs j where j.id = p.job_id and j.host_id = p.host_id and not j.reported)
    union all select 'snapshot', s.id from snapshots s where s.host_id is distinct from '${agent.hostId}'
      or not exists (select 1 from jobs j where j.id = s.job_id and j.host_id = s.host_id)`)
  expect([...strays]).toEqual([])
}
