// What the server learns of a repository after a job: this host's snapshots, the locks, and once a day the size.
import { randomUUID } from 'node:crypto'
import type { JobKind } from '@restic-manager/contract/job'
import type { RepositoryAccess } from '@restic-manager/contract/repository'
import { MAX_REPORT_PAGE_BYTES, type Snapshot } from '@restic-manager/contract/snapshots'
import type { Log } from '@restic-manager/runtime/log'
import { sentenceOf } from './failure.ts'
import { forgetScope, recordFact } from './facts.ts'
import type { Outcome, RepositoryContext } from './jobs/context.ts'
import { readLocks } from './jobs/locks.ts'
import { listSnapshots } from './jobs/snapshots.ts'
import { readStats } from './jobs/stats.ts'
import { readMeta, writeMeta, type State } from './state.ts'
import type { Telemetry } from './telemetry.ts'

type Reporter = { state: State; telemetry: Telemetry; log: Log }

const dayMs = 24 * 3_600_000
/** Room for the other fields of a page, and for a snapshot that had to be shortened. */
const pageRoom = MAX_REPORT_PAGE_BYTES - 4_096
const snapshotsPerPage = 5_000

/**
 * Reports what a job left behind. Never throws: the job has ended, and the next report says it all again. Sizes take
 * long and wait for a quieter hour when `hurry` aborts.
 */
export async function reportAfterJob(
  reporter: Reporter,
  context: RepositoryContext,
  { kind, outcome, hurry }: { kind: JobKind; outcome: Outcome; hurry: AbortSignal },
): Promise<void> {
  const { repositoryId } = context.repository
  const answers =
    outcome.status === 'succeeded' || outcome.status === 'incomplete' || outcome.reason === 'locked'
  try {
    if (kind === 'backup' && (outcome.status === 'succeeded' || outcome.status === 'incomplete'))
      reportSnapshots(reporter.state, repositoryId, await listSnapshots(context))
    if (answers) await reportState(reporter, context, outcome)
    if (kind === 'backup' && answers) await reportSizes(reporter, context, hurry)
  } catch (error) {
    if (!context.signal.aborted && !hurry.aborted)
      reporter.log.warn(
        { repositoryId, why: sentenceOf(error) },
        'the repository could not be looked at after the job',
      )
  }
}

/** Writes the whole list of this host's snapshots down as one report, in place of any older one. */
export function reportSnapshots(state: State, repositoryId: string, snapshots: readonly Snapshot[]): void {
  const reportId = randomUUID()
  const pages = pagesOf(snapshots)
  const scope = `snapshots of ${repositoryId}`
  state.transaction(() => {
    forgetScope(state, scope)
    for (const [page, snapshots] of pages.entries()) {
      const report = { repositoryId, reportId, scope: 'own' as const, page, pages: pages.length, snapshots }
      recordFact(state, 'snapshots.report', report, { scope })
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

async function reportState({ telemetry }: Reporter, context: RepositoryContext, { resticId }: Outcome) {
  const locks = await readLocks(context)
  telemetry.repoStats({
    repositoryId: context.repository.repositoryId,
    lockState: locks.length > 0 ? 'locked' : 'unlocked',
    locks,
    ...(resticId === undefined ? {} : { resticId }),
  })
}

async function reportSizes({ state, telemetry }: Reporter, context: RepositoryContext, hurry: AbortSignal) {
  if (!sizesAreDue(state, context.repository) || hurry.aborted) return
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
