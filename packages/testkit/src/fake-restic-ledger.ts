// The fake restic's memory: one JSON line for everything that really happened, and what follows from it.
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { subcommandOf } from './fake-restic-script.ts'

export type FakeSnapshot = {
  id: string
  short_id: string
  time: string
  tree: string
  paths: string[]
  hostname: string
  username: string
  tags?: string[]
  parent?: string
  program_version?: string
  summary?: Record<string, unknown>
}

export type LedgerEntry = { run: string; at: string } & (
  | {
      event: 'started'
      pid: number
      argv: string[]
      env: Record<string, string>
      repository: string
      /** What `--files-from-raw` held, else the arguments after `--`. */
      paths: string[]
    }
  | { event: 'locked'; exclusive: boolean }
  | { event: 'waiting'; gate: string }
  | { event: 'signalled'; signal: NodeJS.Signals }
  | { event: 'initialised' }
  | { event: 'saved'; snapshot: FakeSnapshot }
  | { event: 'forgot'; snapshots: string[] }
  | { event: 'pruned' }
  | { event: 'checked'; subset?: string }
  | { event: 'unlocked'; locks: string[] }
  | { event: 'ended'; exitCode: number | null; signal: NodeJS.Signals | null }
)

/** One run as the ledger tells it. No ending: it still runs, or it was killed from outside. */
export type LedgerRun = {
  run: string
  command: string
  pid: number
  argv: string[]
  env: Record<string, string>
  repository: string
  paths: string[]
  startedAt: string
  /** It holds or held the lock of its repository. */
  lock?: 'shared' | 'exclusive'
  signals: NodeJS.Signals[]
  /** The gate it waits at or waited at last. */
  gate?: string
  endedAt?: string
  exitCode?: number | null
  killedBy?: NodeJS.Signals | null
}

export type FakeLock = {
  id: string
  body: {
    time: string
    exclusive: boolean
    hostname: string
    username: string
    pid: number
    uid: number
    gid: number
  }
}

/** Adds to the ledger. One short write at the end of the file, so runs at the same time do not mix. */
export function record(folder: string, entry: LedgerEntry): void {
  appendFileSync(join(folder, 'ledger.ndjson'), `${JSON.stringify(entry)}\n`)
}

/** Everything recorded so far, oldest first. */
export function readLedger(folder: string): LedgerEntry[] {
  const file = join(folder, 'ledger.ndjson')
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n')
  // The last piece is empty, or a line being written at this moment.
  return lines.slice(0, -1).map(line => JSON.parse(line) as LedgerEntry)
}

/** The ledger by run, oldest first. */
export function runsOf(entries: readonly LedgerEntry[]): LedgerRun[] {
  const runs = new Map<string, LedgerRun>()
  for (const entry of entries) {
    const run = runs.get(entry.run)
    if (entry.event === 'started') {
      const { pid, argv, env, repository, paths } = entry
      const command = subcommandOf(argv)
      runs.set(entry.run, {
        run: entry.run,
        command,
        pid,
        argv,
        env,
        repository,
        paths,
        startedAt: entry.at,
        signals: [],
      })
    } else if (run === undefined) continue
    else if (entry.event === 'signalled') run.signals.push(entry.signal)
    else if (entry.event === 'waiting') run.gate = entry.gate
    else if (entry.event === 'locked') run.lock = entry.exclusive ? 'exclusive' : 'shared'
    else if (entry.event === 'ended') {
      Object.assign(run, { endedAt: entry.at, exitCode: entry.exitCode, killedBy: entry.signal })
    }
  }
  return [...runs.values()]
}

/** Snapshots that are in one repository, oldest first. */
export function snapshotsOf(entries: readonly LedgerEntry[], repository: string): FakeSnapshot[] {
  const mine = runsIn(entries, repository)
  const gone = new Set(
    entries.flatMap(entry => (entry.event === 'forgot' && mine.has(entry.run) ? entry.snapshots : [])),
  )
  return entries.flatMap(entry =>
    entry.event === 'saved' && mine.has(entry.run) && !gone.has(entry.snapshot.id) ? entry.snapshot : [],
  )
}

/** Whether a run has made the repository with `init`. */
export function isMade(entries: readonly LedgerEntry[], repository: string): boolean {
  const mine = runsIn(entries, repository)
  return entries.some(entry => entry.event === 'initialised' && mine.has(entry.run))
}

/** Locks that lie in a repository: of runs that go on, or died without removing theirs. */
export function locksOf(entries: readonly LedgerEntry[], repository: string, hostname: string): FakeLock[] {
  const removed = new Set(entries.flatMap(entry => (entry.event === 'unlocked' ? entry.locks : [])))
  return runsOf(entries)
    .filter(run => run.repository === repository && run.lock !== undefined)
    .filter(run => run.endedAt === undefined || run.killedBy != null)
    .map(run => ({
      id: hashOf(run.run),
      body: {
        time: run.startedAt,
        exclusive: run.lock === 'exclusive',
        hostname,
        username: 'root',
        pid: run.pid,
        uid: 0,
        gid: 0,
      },
    }))
    .filter(lock => !removed.has(lock.id))
}

/** 64 hexadecimal digits, as restic's ids are. */
export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function runsIn(entries: readonly LedgerEntry[], repository: string): Set<string> {
  return new Set(
    entries.flatMap(entry => (entry.event === 'started' && entry.repository === repository ? entry.run : [])),
  )
}
