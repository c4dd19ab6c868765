// backup: restic reads the folders and saves a snapshot, tagged so that it can be told whose it is.
import type { BackupSpec } from '@restic-manager/contract/command'
import { snapshotTags } from '@restic-manager/contract/snapshots'
import { backupArgs, slowerOf, type BackupRequest } from '../restic/args.ts'
import { shownCommand } from '../restic/shown-command.ts'
import { announceWork, clearLeftLock, untilUnlocked } from './attempts.ts'
import { withBackupFiles } from './backup-files.ts'
import { runPostHook, runPreHook } from './backup-hooks.ts'
import { outcomeOfBackup, type Attempt } from './backup-outcome.ts'
import { watchBackup } from './backup-watch.ts'
import { runCommand, targetOf } from './command.ts'
import type { JobContext, Outcome } from './context.ts'
import { withoutRepository } from './own-repository.ts'
import { checkRepository } from './preflight.ts'
import { findPriority, withinReach } from './priority.ts'
import { collectWarnings, type WarningList } from './warnings.ts'

const KIB = 1024
/** What restic may hold back while it uploads: five packs. Each of them must be through before it reads on. */
const HELD_BACK_BYTES = 5 * 16 * KIB * KIB

type Plan = { request: BackupRequest; before: readonly string[]; patienceMs: number }

/**
 * Saves one snapshot, between the programs the host runs before and after it. Files and folders that could not be read
 * make it `incomplete`. The repository's own folder is not read. A locked repository is tried again for `timing.lockWait`. Running it twice makes two snapshots.
 */
export async function backUp(context: JobContext, asked: BackupSpec): Promise<Outcome> {
  const spec = withoutRepository(asked, context.repository.url)
  const warnings = collectWarnings()
  const plan = planOf(context, spec, warnings)
  const { paths } = spec
  const announce = announceWork(context, () =>
    shownCommand(targetOf(context), backupArgs(targetOf(context), plan.request), {
      paths,
      before: plan.before,
    }),
  )
  // What the last hook hears when a mistake of ours ends the job: it has something to put right all the same.
  let outcome: Outcome = { status: 'failed', reason: 'failed', warnings: [] }
  try {
    outcome =
      (await checkRepository(context)) ??
      (await runPreHook(context, spec, { announce, warnings })) ??
      (await save(context, spec, plan, announce))
  } finally {
    await runPostHook(context, spec, { outcome, warnings })
  }
  return { ...outcome, warnings: [...warnings.all(), ...outcome.warnings] }
}

function save(
  context: JobContext,
  spec: BackupSpec,
  { request, before, patienceMs }: Plan,
  announce: (pid: number) => void,
): Promise<Outcome> {
  return withBackupFiles(context.folders.temp, spec, async files => {
    const attempt = await untilUnlocked<Attempt>(context, async () => {
      using watch = watchBackup(context, patienceMs)
      const end = await runCommand(context, {
        args: backupArgs(targetOf(context), request, files),
        before,
        giveUp: watch.giveUp,
        onSpawn: pid => {
          announce(pid)
          watch.begin()
        },
        onLine: line => {
          watch.hear(line)
          if (line.message?.type !== 'status') context.onLine({ stream: line.stream, payload: line.payload })
        },
      })
      return { end, watch }
    })
    await clearLeftLock(context, attempt.end, attempt.watch.warnings)
    return outcomeOfBackup(context, attempt)
  })
}

function planOf(context: JobContext, spec: BackupSpec, warnings: WarningList): Plan {
  const { hostId, hostname, scheduleId, jobId, timing, restic } = context
  const { nice, ionice, ...options } = spec.options ?? {}
  const { uploadKibps = Infinity } = slowerOf(options, context.bandwidth ?? {})
  return {
    before: findPriority({ nice, ionice }, warnings),
    patienceMs: Math.max(timing.hungAfter, (2 * HELD_BACK_BYTES * 1_000) / (uploadKibps * KIB)),
    request: {
      ...withinReach(options, restic.version, warnings),
      hostname,
      tags: [
        snapshotTags.host(hostId),
        ...(scheduleId === undefined ? [] : [snapshotTags.schedule(scheduleId)]),
        snapshotTags.job(jobId),
        ...(spec.tags ?? []),
      ],
      excludes: spec.excludes ?? [],
      lockWaitMs: timing.lockWait,
    },
  }
}
