// backup: restic reads the folders and saves a snapshot, tagged so that it can be told whose it is.
import type { BackupSpec } from '@restic-manager/contract/command'
import { snapshotTags } from '@restic-manager/contract/snapshots'
import { randomUUID } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { backupArgs, shownCommand } from '../restic/args.ts'
import { fitText } from '../restic/fit-text.ts'
import { capabilitiesOf } from '../restic/version.ts'
import { watchBackup, type BackupWatch } from './backup-watch.ts'
import {
  exitOf,
  failedOutcome,
  failureOf,
  runCommand,
  stoppedOutcome,
  targetOf,
  type CommandEnd,
} from './command.ts'
import type { JobContext, Outcome } from './context.ts'
import { removeLeftLock } from './locks.ts'
import { checkRepository, forgetGood, rememberGood } from './preflight.ts'
import { ResticFailure } from './query.ts'
import { findSnapshotOf } from './snapshots.ts'

type Attempt = { end: CommandEnd; watch: BackupWatch }

/**
 * Saves one snapshot. Files and folders that could not be read make it `incomplete`. A locked repository is tried
 * again for `timing.lockWait`. Running it twice makes two snapshots.
 */
export async function backUp(context: JobContext, spec: BackupSpec): Promise<Outcome> {
  const unusable = await checkRepository(context)
  if (unusable !== undefined) return unusable
  const listFile = join(context.folders.temp, `paths-${randomUUID()}`)
  try {
    await writeFile(listFile, spec.paths.map(path => `${path}\0`).join(''), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    return unwritable(error)
  }
  try {
    const attempt = await untilUnlocked(context, spec, listFile)
    return await outcomeOf(context, attempt)
  } finally {
    // The next start empties the folder: what is left there is no reason to lose an outcome.
    await rm(listFile, { force: true }).catch(() => {})
  }
}

/** The host's own disk is full, or its folder for temporary files is gone. */
function unwritable(error: unknown): Outcome {
  const words = error instanceof Error ? error.message : String(error)
  const sentence = fitText(`The list of folders could not be written for restic: ${words}`, 2_000)
  return { status: 'failed', reason: 'permission', error: sentence, warnings: [] }
}

async function untilUnlocked(context: JobContext, spec: BackupSpec, listFile: string): Promise<Attempt> {
  const { timing, signal } = context
  const giveUpAt = performance.now() + timing.lockWait
  for (let attempts = 1; ; attempts += 1) {
    const attempt = await runOnce(context, spec, listFile, attempts === 1)
    // A newer restic has waited by itself.
    if (capabilitiesOf(context.restic.version).retryLock || !isLocked(attempt.end)) return attempt
    if (signal.aborted || performance.now() + timing.lockRetry > giveUpAt) return attempt
    try {
      await sleep(timing.lockRetry, undefined, { signal })
    } catch {
      return attempt
    }
  }
}

/** Given up because the storage never answered: it would not answer about locks either. */
const isOutOfReach = (end: CommandEnd) => end.unanswered && failureOf(end).reason === 'unreachable'

const isLocked = (end: CommandEnd) => end.exit.exitCode === 1 && failureOf(end).reason === 'locked'

async function runOnce(
  context: JobContext,
  spec: BackupSpec,
  listFile: string,
  first: boolean,
): Promise<Attempt> {
  const target = targetOf(context)
  const args = backupArgs(target, {
    hostname: context.hostname,
    tags: [
      snapshotTags.host(context.hostId),
      ...(context.scheduleId === undefined ? [] : [snapshotTags.schedule(context.scheduleId)]),
      snapshotTags.job(context.jobId),
      ...(spec.tags ?? []),
    ],
    excludes: spec.excludes ?? [],
    listFile,
    lockWaitMs: context.timing.lockWait,
  })
  using watch = watchBackup(context)
  const end = await runCommand(context, {
    args,
    giveUp: watch.giveUp,
    onSpawn: pid => {
      const command = shownCommand(target, args, spec.paths)
      if (first) context.onStart({ command, resticVersion: context.restic.version, pid })
      else context.onRespawn?.(pid)
      watch.begin()
    },
    onLine: line => {
      watch.hear(line)
      if (line.message?.type !== 'status') context.onLine({ stream: line.stream, payload: line.payload })
    },
  })
  return { end, watch }
}

async function outcomeOf(context: JobContext, { end, watch }: Attempt): Promise<Outcome> {
  const { exit } = end
  const { summary, warnings } = watch
  const saved = summary() !== undefined && (exit.exitCode === 0 || exit.exitCode === 3)
  if (saved) {
    rememberGood(context.repository)
    return savedOutcome(context, end, watch)
  }
  forgetGood(context.repository)
  // Killed, or interrupted while the storage was away: either way restic may not have removed its lock.
  if (exit.pid !== undefined && (exit.signal !== undefined || exit.interrupted) && !isOutOfReach(end)) {
    if (await removeLeftLock(context, exit.pid))
      warnings.add(
        'lock_left',
        'A lock of this job may be left in the repository. Unlock it when nothing is running.',
      )
  }
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
