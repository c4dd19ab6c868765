// Every job of this host and how far each came. Each step is on disk before the next is taken.
import type { AgentHello } from '@restic-manager/contract/agent'
import type { CommandRun } from '@restic-manager/contract/command'
import type { EndStatus, JobHeader, JobKind } from '@restic-manager/contract/job'
import { isTold, isWaiting, recordFact, type Untold } from './facts.ts'
import type { State } from './state.ts'
import type { Row, Store } from './store.ts'

/** `starting` is written before restic is spawned: an id in that state or a later one is never spawned again. */
export type JobState = 'accepted' | 'starting' | 'running' | 'ended' | 'refused'

export type Job = {
  id: string
  kind: JobKind
  header: JobHeader
  state: JobState
  acceptedAt: number
  /** The server's answer to the acceptance; undefined: none yet. */
  proceed: boolean | undefined
  cancelled: boolean
  /** Access was lent for its run. It is in memory only. */
  isElevated: boolean
  pid: number | undefined
  /** When the process of that id began, in the system's own words: a recycled id has another. */
  pidStarted: string | undefined
  startedAt: number | undefined
}

/** How a job ended, before it gets its number. */
export type Ending = Omit<Untold<'job.finished'>, keyof JobHeader | 'finishedAt'>

/** Remembers that an operator wants the job stopped; restic's exit code will not say. False: nothing to stop. */
export function markCancelled(state: State, jobId: string): boolean {
  return state.vital(
    () =>
      state.run(
        `update jobs set cancelled = 1 where id = ? and state in ('accepted', 'starting', 'running')`,
        jobId,
      ) === 1,
  )
}

/**
 * Takes the one chance this id has to run, and writes that down where it outlives this database, too. False: it is not
 * waiting to start.
 */
export function markStarting(state: State, jobId: string): boolean {
  return state.vital(() => {
    const moved = state.run(
      `update jobs set state = 'starting', started_at = ? where id = ? and state = 'accepted' and cancelled = 0`,
      ...[state.clock.now(), jobId],
    )
    if (moved === 1) state.starts.note(jobId)
    return moved === 1
  })
}

/** restic is up: the process and the fact that says so are one commit. */
export function markRunning(
  state: State,
  job: Job,
  start: { command: string; resticVersion: string; pid: number; pidStarted: string | undefined },
): void {
  state.vital(() => {
    const now = state.clock.now()
    const moved = state.run(
      `update jobs set state = 'running', pid = ?, pid_started = ?, started_at = ? where id = ? and state = 'starting'`,
      ...[start.pid, start.pidStarted ?? null, now, job.id],
    )
    if (moved === 0) return
    const { command, resticVersion } = start
    const started = { ...job.header, startedAt: new Date(now).toISOString(), command, resticVersion }
    recordFact(state, 'job.started', started, { jobId: job.id })
  })
}

/** A further restic does the work of a job that runs. */
export function markRespawned(
  state: State,
  jobId: string,
  pid: number,
  pidStarted: string | undefined,
): void {
  state.vital(() =>
    state.run(
      `update jobs set pid = ?, pid_started = ? where id = ? and state = 'running'`,
      ...[pid, pidStarted ?? null, jobId],
    ),
  )
}

/**
 * A job that runs goes into a book that was begun anew under it, so that it is still known here and ends once. That book
 * knows only that it had begun.
 */
export function reenterJob(state: State, job: Job): void {
  const { id, kind, header, acceptedAt, isElevated, startedAt } = job
  state.vital(() =>
    state.run(
      `insert into jobs (id, kind, header, schedule_id, slot, spec, config_version, elevated, state, proceed, accepted_at,
         started_at, place)
       values (?, ?, ?, ?, ?, '{}', 0, ?, 'running', 1, ?, ?, (select coalesce(max(place), 0) + 1 from jobs))
       on conflict (id) do update set kind = excluded.kind, header = excluded.header, schedule_id = excluded.schedule_id,
         slot = excluded.slot, elevated = excluded.elevated, state = 'running', proceed = 1, refusal = null,
         accepted_at = excluded.accepted_at, started_at = excluded.started_at, ended_at = null, place = excluded.place
       where jobs.state = 'refused'`,
      ...[id, kind, JSON.stringify(header), header.scheduleId ?? null, slotOf(header), isElevated ? 1 : 0],
      ...[acceptedAt, startedAt ?? acceptedAt],
    ),
  )
}

/** Ends a job that ran, also where the book was begun anew under it and does not know it. False: it had ended before. */
export function endRun(state: State, job: Job, ending: Ending): boolean {
  return state.vital(() => {
    reenterJob(state, job)
    return endJob(state, job, ending)
  })
}

/** The slot a job belongs to. A retry belongs to one, but is no part of what decides about it. */
export function slotOf({ scheduledAt, retryOf }: Pick<JobHeader, 'scheduledAt' | 'retryOf'>): number | null {
  return scheduledAt === undefined || retryOf !== undefined ? null : Date.parse(scheduledAt)
}

/** The one place where a job ends: the ending and the fact that says so are one commit. False: it had ended before. */
export function endJob(state: State, job: Pick<Job, 'id' | 'header'>, ending: Ending): boolean {
  return state.vital(() => {
    const now = state.clock.now()
    const ended = state.run(
      `update jobs set state = 'ended', status = ?, ended_at = ? where id = ? and state in ('accepted', 'starting', 'running')`,
      ...[ending.status, now, job.id],
    )
    if (ended === 0) return false
    state.run('update jobs set ended_seq = ? where id = ?', recordEnd(state, job.header, ending, now), job.id)
    return true
  })
}

/** A job by its id; undefined for one this host never saw. */
export function readJob(store: Store, jobId: string): Job | undefined {
  const row = store.one(`select ${columns} from jobs where id = ?`, jobId)
  return row === undefined ? undefined : toJob(row)
}

/** What a job was ordered to do. It can be large: only the one that runs is looked up. */
export function readSpec(store: Store, jobId: string): CommandRun['spec'] {
  return JSON.parse(
    String(store.one('select spec from jobs where id = ?', jobId)?.spec),
  ) as CommandRun['spec']
}

/** The jobs that have not ended, in the order they were accepted. */
export function openJobs(store: Store): Job[] {
  const rows = store.all(
    `select ${columns} from jobs where state in ('accepted', 'starting', 'running') order by place`,
  )
  return rows.map(toJob)
}

/** The runs of a schedule that have not ended: slots, and ids of jobs that belong to none. */
export function openRunsOf(store: Store, scheduleId: string): (number | string)[] {
  const rows = store.all(
    `select distinct coalesce(slot, id) as run from jobs
     where schedule_id = ? and state in ('accepted', 'starting', 'running')`,
    scheduleId,
  )
  return rows.map(({ run }) => run as number | string)
}

/** How many jobs have not ended. */
export function countOpenJobs(store: Store): number {
  const row = store.one(`select count(*) as n from jobs where state in ('accepted', 'starting', 'running')`)
  return Number(row?.n)
}

/**
 * The jobs whose end the server has not committed yet, as hello lists them. An end it will never take is not on its
 * way: such a job is not listed, and the server calls it lost instead of waiting for ever.
 */
export function knownJobs(state: State): AgentHello['knownJobs'] {
  const rows = state.all(
    `select id, state, status from jobs where state in ('accepted', 'starting', 'running')
     union all
     select j.id, j.state, j.status from facts f join jobs j on j.id = f.job_id
     where f.name = 'job.finished' and f.acked_at is null and f.set_aside is null
     limit 1000`,
  )
  return rows.map(row => ({ jobId: String(row.id), status: statusOf(row) }))
}

/**
 * Whether the server takes the log of a job: it has heard that restic is up, or that the job has ended, which may be
 * forgotten here by now. Of one that went with a damaged book only the server can say.
 */
export function mayTellLog(state: State, jobId: string): boolean {
  if (isTold(state, 'job.started', jobId)) return true
  const job = state.one('select state from jobs where id = ?', jobId)
  if (job === undefined || job.state === 'refused') return true
  return job.state === 'ended' && !isWaiting(state, 'job.finished', jobId)
}

/** Forgets jobs that ended longer ago than `keptMs` and of which nothing is left to tell. Returns their ids. */
export function pruneJobs(state: State, keptMs: number, now = state.clock.now()): string[] {
  const rows = state.all(
    `delete from jobs where ended_at < ? and not exists (select 1 from facts where facts.job_id = jobs.id)
     returning id`,
    now - keptMs,
  )
  return rows.map(row => String(row.id))
}

function statusOf(row: Row): EndStatus | 'accepted' | 'running' {
  if (row.state === 'ended') return row.status as EndStatus
  return row.state === 'running' ? 'running' : 'accepted'
}

/** Writes the fact that says how a job ended; answers its number. */
export function recordEnd(state: State, header: JobHeader, ending: Ending, at: number): number {
  const finished = { ...header, ...ending, finishedAt: new Date(at).toISOString() }
  return recordFact(state, 'job.finished', finished, { jobId: header.jobId })
}

const columns =
  'id, kind, header, state, accepted_at, proceed, cancelled, elevated, pid, pid_started, started_at'

function toJob(row: Row): Job {
  return {
    id: String(row.id),
    kind: String(row.kind) as JobKind,
    header: JSON.parse(String(row.header)) as JobHeader,
    state: row.state as JobState,
    acceptedAt: Number(row.accepted_at),
    proceed: row.proceed === null ? undefined : row.proceed === 1,
    cancelled: row.cancelled === 1,
    isElevated: row.elevated === 1,
    pid: row.pid === null ? undefined : Number(row.pid),
    pidStarted: row.pid_started === null ? undefined : String(row.pid_started),
    startedAt: row.started_at === null ? undefined : Number(row.started_at),
  }
}
