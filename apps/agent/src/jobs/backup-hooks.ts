// The programs of the host around a backup: one before it, which may stop it, and one after it, which hears how it went.
import type { BackupSpec } from '@restic-manager/contract/command'
import { jobReasons } from '@restic-manager/contract/reasons'
import type { RepositoryAccess } from '@restic-manager/contract/repository'
import { fitText } from '../restic/fit-text.ts'
import { stoppedOutcome } from './command.ts'
import type { JobContext, Outcome } from './context.ts'
import type { WarningList } from './warnings.ts'

/** What a hook is told besides how the backup went. */
export type HookContext = Pick<
  JobContext,
  'hostId' | 'jobId' | 'scheduleId' | 'signal' | 'timing' | 'runHook'
> & {
  repository: Pick<RepositoryAccess, 'repositoryId'>
}

/** Runs the program before the backup. Undefined: go on. Else how the job ends without a backup. */
export async function runPreHook(
  context: JobContext,
  { preHook }: BackupSpec,
  { announce, warnings }: { announce(pid: number): void; warnings: WarningList },
): Promise<Outcome | undefined> {
  if (preHook === undefined) return undefined
  const { signal } = context
  const failure = await context.runHook(preHook, {
    name: 'pre-hook',
    environment: namesOf(context),
    signal,
    onSpawn: announce,
  })
  if (signal.aborted) return stoppedOutcome(signal)
  if (failure === undefined) return undefined
  if (preHook.onFailure === 'continue') {
    warnings.add('hook_failed', `${failure} The backup went on, as its schedule wants it.`)
    return undefined
  }
  const error = fitText(`${jobReasons.hook_failed} ${failure}`, 2_000)
  return { status: 'failed', reason: 'hook_failed', error, warnings: [] }
}

/**
 * Runs the program after the backup, however that went: it may have to put right what the first one changed. A failure
 * is a warning. When the job was stopped it gets as long as restic does to end.
 */
export async function runPostHook(
  context: HookContext,
  { postHook }: Pick<BackupSpec, 'postHook'>,
  { outcome, warnings }: { outcome: Outcome; warnings: WarningList },
): Promise<void> {
  if (postHook === undefined) return
  const { status, reason = '', exitCode, snapshotId = '' } = outcome
  const wasStopped = context.signal.aborted
  const failure = await context.runHook(postHook, {
    name: 'post-hook',
    environment: {
      ...namesOf(context),
      RM_STATUS: status,
      RM_REASON: reason,
      RM_EXIT_CODE: exitCode === undefined ? '' : String(exitCode),
      RM_SNAPSHOT_ID: snapshotId,
    },
    signal: wasStopped ? new AbortController().signal : context.signal,
    ...(wasStopped ? { atMostMs: context.timing.cancelGrace } : {}),
  })
  if (failure !== undefined) warnings.add('post_hook_failed', failure)
}

const namesOf = ({ hostId, jobId, scheduleId = '', repository }: HookContext) => ({
  RM_HOST_ID: hostId,
  RM_JOB_ID: jobId,
  RM_SCHEDULE_ID: scheduleId,
  RM_REPOSITORY_ID: repository.repositoryId,
})
