// forget: lets go of snapshots that no rule keeps, of one host's schedule at a time, and looks whether they are gone.
import type { ForgetSpec, ForgetTarget } from '@restic-manager/contract/command'
import { jobReasons } from '@restic-manager/contract/reasons'
import { complaintAboutRetention } from '@restic-manager/contract/retention'
import { snapshotTags } from '@restic-manager/contract/snapshots'
import { readForgetResult, type ForgetGroup } from '../restic/forget-result.ts'
import { forgetArgs } from '../restic/maintenance-args.ts'
import { shownCommands } from '../restic/shown-command.ts'
import { announceWork } from './attempts.ts'
import { targetOf } from './command.ts'
import type { JobContext, Outcome } from './context.ts'
import { failedExclusive, refusedOutcome, runExclusive, type ExclusiveEnd } from './exclusive.ts'
import { previewOf, type TargetResult } from './forget-preview.ts'
import { checkRepository, forgetGood, rememberGood } from './preflight.ts'
import { outcomeOfSilence } from './query.ts'
import { listTagged } from './snapshots.ts'
import { collectWarnings, type WarningList } from './warnings.ts'

type Work = {
  context: JobContext
  spec: ForgetSpec
  warnings: WarningList
  announce(pid: number): void
}
type Step = { groups: ForgetGroup[] } | { failed: Outcome }

/** restic ends with 3 when it could not remove some, from 0.19 on. Before that it says 0. */
const LISTENED_TO: ReadonlySet<number | undefined> = new Set([0, 3])

/**
 * Every target is looked at by a dry run first; if one would keep nothing of a host, nothing is removed at all. Then
 * one target after another, the first failure ends it. `stats` is a `ForgetPreview` of what was done, or of what would
 * be. Safe to run twice.
 */
export async function forget(context: JobContext, spec: ForgetSpec): Promise<Outcome> {
  const complaint = complaintAboutRetention(spec.retention)
  if (complaint !== undefined)
    return { status: 'failed', reason: 'unsafe_retention', error: complaint.message, warnings: [] }
  const unusable = await checkRepository(context)
  if (unusable !== undefined) return unusable
  const warnings = collectWarnings()
  const announce = announceWork(context, () => shownForget(context, spec))
  const outcome = await thin({ context, spec, warnings, announce })
  if (outcome.status === 'succeeded') rememberGood(context.repository)
  else forgetGood(context.repository)
  return { ...outcome, warnings: [...warnings.all(), ...outcome.warnings] }
}

async function thin(work: Work): Promise<Outcome> {
  const { context, spec } = work
  const steps = spec.targets.length * (spec.dryRun ? 1 : 2)
  const looked: TargetResult[] = []
  for (const [index, target] of spec.targets.entries()) {
    tellProgress(context, index, steps)
    const seen = await look(work, target)
    if ('failed' in seen) return seen.failed
    looked.push({ target, groups: seen.groups })
    if (seen.groups.some(group => group.keep.length === 0 && group.remove.length > 0))
      return { ...nothingKept(target), stats: previewOf(looked, true) }
  }
  if (spec.dryRun) return { status: 'succeeded', exitCode: 0, stats: previewOf(looked, true), warnings: [] }
  const done: TargetResult[] = []
  for (const [index, { target, groups }] of looked.entries()) {
    tellProgress(context, looked.length + index, steps)
    const removed = await remove(work, target, groups)
    if ('failed' in removed) return { ...removed.failed, stats: previewOf(done, false) }
    done.push({ target, groups: removed.groups })
  }
  return { status: 'succeeded', exitCode: 0, stats: previewOf(done, false), warnings: [] }
}

async function look(work: Work, target: ForgetTarget): Promise<Step> {
  const result = await runForget(work, target, true)
  if (result.end.exit.exitCode !== 0) return { failed: failedOf(work, result) }
  const groups = groupsIn(result)
  if (groups === undefined) return { failed: unreadable() }
  const [stay, go] = [count(groups, 'keep'), count(groups, 'remove')]
  work.context.onLine({ stream: 'stdout', payload: `${tagsOf(target).join(',')}: ${stay} stay, ${go} go` })
  return { groups }
}

/** What restic says of its success is not enough: an old one cannot say it, and a new one says 0 when it was refused. */
async function remove(work: Work, target: ForgetTarget, expected: readonly ForgetGroup[]): Promise<Step> {
  if (count(expected, 'remove') === 0) return { groups: [...expected] }
  const result = await runForget(work, target, false)
  if (!LISTENED_TO.has(result.end.exit.exitCode)) return { failed: failedOf(work, result) }
  const groups = groupsIn(result)
  if (groups === undefined) return { failed: unreadable() }
  try {
    const there = new Set((await listTagged(work.context, tagsOf(target))).map(({ id }) => id))
    const left = groups.flatMap(group => group.remove).filter(({ id }) => there.has(id))
    if (left.length === 0) return { groups }
    const refused = refusedOutcome(result.refusal ?? '')
    const snapshots = left.length === 1 ? '1 snapshot is' : `${left.length} snapshots are`
    return { failed: { ...refused, error: `${refused.error} ${snapshots} still there.` } }
  } catch (error) {
    return { failed: outcomeOfSilence(work.context, error) }
  }
}

function runForget(work: Work, target: ForgetTarget, dryRun: boolean): Promise<ExclusiveEnd> {
  const { context, warnings, announce } = work
  return runExclusive(context, {
    args: argsFor(context, work.spec, target, dryRun),
    warnings,
    document: true,
    onSpawn: announce,
  })
}

function argsFor(
  context: JobContext,
  { retention }: ForgetSpec,
  target: ForgetTarget,
  dryRun: boolean,
): string[] {
  const request = { retention, tags: tagsOf(target), lockWaitMs: context.timing.lockWait }
  return forgetArgs(targetOf(context), request, { dryRun })
}

/** The commands that do the work; each was tried dry before. */
function shownForget(context: JobContext, spec: ForgetSpec): string {
  const commands = spec.targets.map(target => argsFor(context, spec, target, spec.dryRun))
  return shownCommands(targetOf(context), commands)
}

const tagsOf = ({ hostId, scheduleId }: ForgetTarget) => [
  snapshotTags.host(hostId),
  snapshotTags.schedule(scheduleId),
]

const count = (groups: readonly ForgetGroup[], part: 'keep' | 'remove') =>
  groups.reduce((sum, group) => sum + group[part].length, 0)

const failedOf = ({ context, warnings }: Work, result: ExclusiveEnd): Outcome => {
  const { warnings: _, ...failed } = failedExclusive(context, result, warnings)
  return { ...failed, warnings: [] }
}

function groupsIn({ end }: ExclusiveEnd): ForgetGroup[] | undefined {
  if (end.exit.failure !== undefined) return undefined
  try {
    return readForgetResult(end.exit.document)
  } catch {
    return undefined
  }
}

function unreadable(): Outcome {
  const error = 'restic did not say in a way this agent knows which snapshots go and which stay.'
  return { status: 'failed', reason: 'failed', error, warnings: [] }
}

function nothingKept({ scheduleId }: ForgetTarget): Outcome {
  const error = `${jobReasons.nothing_kept} The rules keep no snapshot of schedule ${scheduleId}.`
  return { status: 'failed', reason: 'nothing_kept', error, warnings: [] }
}

function tellProgress(context: JobContext, done: number, total: number): void {
  context.onProgress({
    phase: done * 2 < total ? 'scanning' : 'running',
    percentDone: done / total,
    filesDone: done,
    totalFiles: total,
    bytesDone: 0,
    totalBytes: 0,
    throughputBps: 0,
  })
}
