// What the server learns of a repository after a job: its snapshots, its locks, its size, and what a check found.
import { randomUUID } from 'node:crypto'
import type { JobKind } from '@restic-manager/contract/job'
import type { JobReason } from '@restic-manager/contract/reasons'
import type { RepositoryAccess, RepoStats } from '@restic-manager/contract/repository'
import { toInstant } from '@restic-manager/contract/scalars'
import {
  MAX_REPORT_PAGE_BYTES,
  type Snapshot,
  type SnapshotsReport,
} from '@restic-manager/contract/snapshots'
import type { Log } from '@restic-manager/runtime/log'
import { sentenceOf } from './failure.ts'
import { forgetScope, recordFact } from './facts.ts'
import type { Outcome, RepositoryContext } from './jobs/context.ts'
import { readLocks } from './jobs/locks.ts'
import { listAllSnapshots, listSnapshots } from './jobs/snapshots.ts'
import { readStats } from './jobs/stats.ts'
import { readMeta, writeMeta, type State } from './state.ts'
import type { Telemetry } from './telemetry.ts'

type Reporter = { state: State; telemetry: Telemetry; log: Log }

const dayMs = 24 * 3_600_000
/** Room for the other fields of a page, and for a snapshot that had to be shortened. */
const pageRoom = MAX_REPORT_PAGE_BYTES - 4_096
const snapshotsPerPage = 5_000

/** The kinds after which the size is looked up however lately that was done. */
const readsAll: ReadonlySet<JobKind> = new Set(['prune', 'check'])
/** Endings of a forget that may have removed something before. */
const forgetsInPart: ReadonlySet<string | undefined> = new Set<JobReason>([
  'deletion_refused',
  'timeout',
  'agent_restarted',
  'locked',
  'unreachable',
])
/** Endings of a job whose repository answered. */
const answered: ReadonlySet<string | undefined> = new Set<JobReason>([
  'locked',
  'damaged',
  'deletion_refused',
  'nothing_kept',
])

/**
 * Reports what a job left behind. Never throws: the job has ended, and the next report says it all again. Sizes take
 * long and wait for a quieter hour when `hurry` aborts, but not after a run with access that was lent: nothing can be
 * asked with it later.
 */
export async function reportAfterJob(
  reporter: Reporter,
  context: RepositoryContext,
  { kind, outcome, hurry }: { kind: JobKind; outcome: Outcome; hurry: AbortSignal },
): Promise<void> {
  const { repositoryId } = context.repository
  const hasWorked = outcome.status === 'succeeded' || outcome.status === 'incomplete'
  const answers = hasWorked || answered.has(outcome.reason)
  const patience = context.isElevated ? new AbortController().signal : hurry
  try {
    if (wantsSnapshots(kind, context, outcome, hasWorked)) await reportList(reporter, context)
    if (answers) await reportState(reporter, context, kind, outcome)
    if (answers && (kind === 'backup' || readsAll.has(kind)))
      await reportSizes(reporter, context, { hurry: patience, isDue: readsAll.has(kind) })
  } catch (error) {
    if (!context.signal.aborted && !patience.aborted)
      reporter.log.warn(
        { repositoryId, why: sentenceOf(error) },
        'the repository could not be looked at after the job',
      )
  }
}

/** A forget that was stopped or refused half way has removed some all the same. */
function wantsSnapshots(
  kind: JobKind,
  { isElevated }: RepositoryContext,
  { status, reason, stats }: Outcome,
  hasWorked: boolean,
): boolean {
  if (kind === 'forget')
    return stats?.dryRun !== true && (hasWorked || status === 'cancelled' || forgetsInPart.has(reason))
  if (isElevated && readsAll.has(kind)) return hasWorked
  return kind === 'backup' && hasWorked
}

/** The maintenance host knows them all. */
async function reportList(reporter: Reporter, context: RepositoryContext): Promise<void> {
  const { repositoryId } = context.repository
  if (context.isElevated)
    reportSnapshots(reporter.state, repositoryId, 'whole', await listAllSnapshots(context))
  else reportSnapshots(reporter.state, repositoryId, 'own', await listSnapshots(context))
}

/** Writes the whole list of a scope down as one report, in place of any older one. */
export function reportSnapshots(
  state: State,
  repositoryId: string,
  scope: SnapshotsReport['scope'],
  snapshots: readonly Snapshot[],
): void {
  const reportId = randomUUID()
  const pages = pagesOf(snapshots)
  const replaces = `${scope === 'own' ? 'snapshots' : 'all snapshots'} of ${repositoryId}`
  state.ifRoom(() => {
    forgetScope(state, replaces)
    for (const [page, snapshots] of pages.entries()) {
      const report = { repositoryId, reportId, scope, page, pages: pages.length, snapshots }
      recordFact(state, 'snapshots.report', report, { scope: replaces })
    }
  })
}

/** Cuts a list into pages that fit on the wire. An empty list is one empty page. */
export function pagesOf(snapshots: readonly Snapshot[]): Snapshot[][] {
  const pages: Snapshot[][] = []
  let page: Snapshot[] = []
  let bytes = 0
  for (const each of snapshots) {
    const snapshot = shortened(each)
    const size = Buffer.byteLength(JSON.stringify(snapshot)) + 1
    if (page.length > 0 && (bytes + size > pageRoom || page.length === snapshotsPerPage)) {
      pages.push(page)
      page = []
      bytes = 0
    }
    page.push(snapshot)
    bytes += size
  }
  return page.length > 0 || pages.length === 0 ? [...pages, page] : pages
}

/** A snapshot whose paths or tags alone would fill a page names fewer of them. */
function shortened(snapshot: Snapshot): Snapshot {
  return { ...snapshot, paths: fewer(snapshot.paths), tags: fewer(snapshot.tags) }
}

function fewer(words: string[]): string[] {
  let kept = words
  while (kept.length > 1 && Buffer.byteLength(JSON.stringify(kept)) > pageRoom / 3)
    kept = kept.slice(0, Math.floor(kept.length / 2))
  return kept
}

async function reportState(
  { telemetry }: Reporter,
  context: RepositoryContext,
  kind: JobKind,
  outcome: Outcome,
): Promise<void> {
  const locks = await readLocks(context)
  telemetry.repoStats({
    repositoryId: context.repository.repositoryId,
    lockState: locks.length > 0 ? 'locked' : 'unlocked',
    locks,
    ...(outcome.resticId === undefined ? {} : { resticId: outcome.resticId }),
    ...(kind === 'check' ? verdictOf(outcome) : {}),
  })
}

/** A check that was kept from checking says nothing about the repository. */
function verdictOf({ status, reason }: Outcome): Pick<RepoStats, 'lastCheckAt' | 'lastCheckStatus'> {
  if (status !== 'succeeded' && reason !== 'damaged') return {}
  return { lastCheckAt: toInstant(Date.now()), lastCheckStatus: status === 'succeeded' ? 'ok' : 'damaged' }
}

async function reportSizes(
  { state, telemetry }: Reporter,
  context: RepositoryContext,
  { hurry, isDue }: { hurry: AbortSignal; isDue: boolean },
): Promise<void> {
  if (hurry.aborted || !(isDue || sizesAreDue(state, context.repository))) return
  const signal = AbortSignal.any([context.signal, hurry])
  telemetry.repoSizes(context.repository.repositoryId, await readStats({ ...context, signal }))
  writeMeta(state, sizesMark(context.repository), String(Date.now()))
}

const sizesMark = ({ repositoryId }: RepositoryAccess) => `sizes of ${repositoryId}`

/** restic walks all trees to add up sizes, so that is done once a day. A clock that went back counts as due. */
function sizesAreDue(state: State, repository: RepositoryAccess): boolean {
  const age = Date.now() - Number(readMeta(state, sizesMark(repository)) ?? 0)
  return age >= dayMs || age < 0
}
