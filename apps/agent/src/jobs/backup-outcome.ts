// What a backup came to: restic's exit code alone does not say.
import { rememberGood, forgetGood } from './preflight.ts'
import type { BackupWatch } from './backup-watch.ts'
import { exitOf, failedOutcome, stoppedOutcome, type CommandEnd } from './command.ts'
import type { JobContext, Outcome } from './context.ts'
import { ResticFailure } from './query.ts'
import { findSnapshotOf } from './snapshots.ts'

/** One run of restic, and what was heard of it. */
export type Attempt = { end: CommandEnd; watch: BackupWatch }

/** The outcome of the last attempt. */
export async function outcomeOfBackup(context: JobContext, { end, watch }: Attempt): Promise<Outcome> {
  const { exit } = end
  const { summary, warnings } = watch
  const saved = summary() !== undefined && (exit.exitCode === 0 || exit.exitCode === 3)
  if (saved) {
    rememberGood(context.repository)
    return savedOutcome(context, end, watch)
  }
  forgetGood(context.repository)
  if (context.signal.aborted)
    return { ...stoppedOutcome(context.signal), ...exitOf(exit), warnings: warnings.all() }
  if (exit.exitCode === 0)
    return {
      status: 'failed',
      reason: 'failed',
      error: 'restic ended without a summary, so it is not known whether it saved a snapshot.',
      exitCode: 0,
      warnings: warnings.all(),
    }
  return { ...failedOutcome(context, end), warnings: warnings.all() }
}

/** A snapshot is there, whatever happened on the way: also when a cancel came too late. */
async function savedOutcome(context: JobContext, { exit }: CommandEnd, watch: BackupWatch): Promise<Outcome> {
  const { warnings } = watch
  const summary = watch.summary()
  const incomplete = exit.exitCode === 3 || warnings.has('file_unread') || warnings.has('source_missing')
  const snapshotId = await fullSnapshotId(context, summary?.snapshotId)
  return {
    status: incomplete ? 'incomplete' : 'succeeded',
    ...(incomplete ? { reason: 'sources_unread', error: incompleteSentence(watch) } : {}),
    ...exitOf(exit),
    stats: summary?.summary ?? {},
    warnings: warnings.all(),
    ...(snapshotId === undefined ? {} : { snapshotId }),
  }
}

function incompleteSentence({ unread, missing }: BackupWatch): string {
  const files = unread() === 1 ? '1 file or folder' : `${unread()} files and folders`
  const folders = missing() === 1 ? '1 folder to back up does' : `${missing()} folders to back up do`
  const parts = [
    ...(unread() > 0 ? [`${files} could not be read.`] : []),
    ...(missing() > 0 ? [`${folders} not exist on this host.`] : []),
  ]
  return [
    ...(parts.length > 0 ? parts : ['Some files could not be read.']),
    'The restore point holds everything else.',
  ].join(' ')
}

/** Old restic shortens the id. The job's own tag finds the whole one. */
async function fullSnapshotId(context: JobContext, id: string | undefined): Promise<string | undefined> {
  if (id === undefined || id.length === 64) return id
  try {
    // A cancel that came too late is no reason not to ask.
    const patient = { ...context, signal: new AbortController().signal }
    return (await findSnapshotOf(patient, context.jobId))?.id
  } catch (error) {
    if (error instanceof ResticFailure) return undefined
    throw error
  }
}
