// The one door into the jobs: which kind runs what.
import type { JobSpec } from '@restic-manager/contract/command'
import type { JobKind } from '@restic-manager/contract/job'
import { jobReasons } from '@restic-manager/contract/reasons'
import { backUp } from './backup.ts'
import { stoppedOutcome } from './command.ts'
import type { JobContext, Outcome } from './context.ts'
import { initialise } from './init.ts'
import { probe } from './probe.ts'
import { unlock } from './unlock.ts'

const jobs: { [K in JobKind]?: (context: JobContext, spec: JobSpec<K>) => Promise<Outcome> } = {
  init: initialise,
  probe,
  backup: backUp,
  unlock,
}

/** Runs a job to its end. Never rejects for what restic or the repository do: that is in the outcome. */
export async function runJob<K extends JobKind>(
  kind: K,
  context: JobContext,
  spec: JobSpec<K>,
): Promise<Outcome> {
  if (context.signal.aborted) return stoppedOutcome(context.signal)
  const job = jobs[kind]
  if (job === undefined)
    return { status: 'failed', reason: 'unsupported', error: jobReasons.unsupported, warnings: [] }
  return job(context, spec)
}
