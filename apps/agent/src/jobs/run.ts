// The one door into the jobs: which kind runs what.
import type { JobSpec } from '@restic-manager/contract/command'
import type { JobKind } from '@restic-manager/contract/job'
import { backUp } from './backup.ts'
import { check } from './check.ts'
import { stoppedOutcome } from './command.ts'
import type { JobContext, Outcome } from './context.ts'
import { forget } from './forget.ts'
import { initialise } from './init.ts'
import { probe } from './probe.ts'
import { prune } from './prune.ts'
import { startTimeLimit } from './time-limit.ts'
import { unlock } from './unlock.ts'

const jobs: { [K in JobKind]: (context: JobContext, spec: JobSpec<K>) => Promise<Outcome> } = {
  init: initialise,
  probe,
  backup: backUp,
  forget,
  prune,
  check,
  unlock,
}

/**
 * Runs a job to its end, or to its time limit. Never rejects for what restic or the repository do: that is in the
 * outcome.
 */
export async function runJob<K extends JobKind>(
  kind: K,
  context: JobContext,
  spec: JobSpec<K>,
): Promise<Outcome> {
  if (context.signal.aborted) return stoppedOutcome(context.signal)
  using limit = startTimeLimit('timeoutMinutes' in spec ? spec.timeoutMinutes : undefined)
  const signal = AbortSignal.any([context.signal, limit.signal])
  return await jobs[kind]({ ...context, signal }, spec) // the limit lasts as long as the job
}
