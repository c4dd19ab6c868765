// Everything the checker reads before it judges: the rows, the notes taken meanwhile, the agents' books and what really ran.
import { readLedger, runsOf, type LedgerRun } from '@restic-manager/testkit/fake-restic-ledger'
import postgres from 'postgres'
import { readBooks, type AgentBook } from './books.ts'
import { readMoves, readPlanNotes, type Move, type PlanNote } from './watch.ts'
import type { Evidence, Invariant, Violation } from './evidence.ts'

export type JobRow = {
  id: string
  hostId: string
  forHostId: string | null
  repositoryId: string
  kind: string
  status: string
  reported: boolean
  scheduleId: string | null
  scheduledFor: Date | null
  notRunFrom: Date | null
  slotCount: number
  retryOf: string | null
  attempt: number
  acceptedAt: Date | null
  startedAt: Date | null
  finishedAt: Date | null
  cancelRequestedAt: Date | null
  command: string | null
  exitCode: number | null
  reason: string | null
  lastLogSeq: number | null
  nextLogSeq: number
  /** Its log was dropped with its day. */
  logRemoved: boolean
}

/** `runJobId`: the job a run of restic carries the tag of. */
export type ResticRun = LedgerRun & { runJobId: string | undefined }

export type World = {
  evidence: Evidence
  sql: postgres.Sql
  jobs: Map<string, JobRow>
  moves: Map<string, Move[]>
  plans: Map<string, PlanNote[]>
  books: AgentBook[]
  runs: ResticRun[]
}

/** Judges one promise and answers what breaks it. */
export type Check = (world: World) => Promise<Violation[]> | Violation[]

/** A client for the checker alone, with one connection. */
export function connectToRead(databaseUrl: string): postgres.Sql {
  const address = new URL(databaseUrl)
  const folder = address.searchParams.get('host')
  address.searchParams.delete('host')
  return postgres(address.href, {
    max: 1,
    onnotice: () => {},
    ...(folder === null ? {} : { host: folder }),
    connection: { application_name: 'restic-manager checker' },
  })
}

/** Reads all of it. Books are read before the database: a fact acked in between is no loss. */
export async function readWorld(evidence: Evidence, sql: postgres.Sql): Promise<World> {
  const books = readBooks(evidence)
  const runs = evidence.ledgerFolders.flatMap(folder =>
    runsOf(readLedger(folder)).map(run =>
      Object.assign(run, { runJobId: /rm-job=([0-9a-f-]{36})/.exec(run.argv.join(' '))?.[1] }),
    ),
  )
  const [jobs, moves, plans] = await Promise.all([readJobs(sql), readMoves(sql), readPlanNotes(sql)])
  return { evidence, sql, books, runs, jobs, moves, plans }
}

async function readJobs(sql: postgres.Sql): Promise<Map<string, JobRow>> {
  const rows = await sql<JobRow[]>`
    select id, host_id as "hostId", for_host_id as "forHostId", repository_id as "repositoryId", kind, status, reported,
      schedule_id as "scheduleId", scheduled_for as "scheduledFor", not_run_from as "notRunFrom", slot_count as "slotCount",
      retry_of as "retryOf", attempt, accepted_at as "acceptedAt", started_at as "startedAt", finished_at as "finishedAt",
      cancel_requested_at as "cancelRequestedAt", command, exit_code::float8 as "exitCode", reason,
      last_log_seq::float8 as "lastLogSeq", next_log_seq::float8 as "nextLogSeq",
      exists (select 1 from removed_log_days removed where removed.day = jobs.log_day) as "logRemoved"
    from jobs order by created_at, id`
  return new Map(rows.map(row => [row.id, row]))
}

/** A violation when there are rows that show one. */
export function shownBy(invariant: Invariant, sentence: string, rows: readonly unknown[]): Violation[] {
  return rows.length === 0 ? [] : [{ invariant, sentence, rows: [...rows] }]
}

/** What of a job's row is worth printing. */
export function glance({ id, hostId, kind, status, reported, reason, scheduledFor }: JobRow) {
  return { id, hostId, kind, status, reported, reason, scheduledFor }
}
