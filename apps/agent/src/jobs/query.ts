// Asks a repository something and gives back restic's answer as text, or throws why there is none.
import type { JobReason } from '@restic-manager/contract/reasons'
import { failureOf, LOCKLESS_GRACE_MS, runCommand, stoppedOutcome } from './command.ts'
import type { Outcome, RepositoryContext } from './context.ts'

/** A question takes a few times as long as opening the repository. */
const DEADLINES = 4

/** A repository did not answer a question. `message` is a sentence for a person, without secrets. */
export class ResticFailure extends Error {
  readonly reason: JobReason
  constructor(reason: JobReason, sentence: string) {
    super(sentence)
    this.name = 'ResticFailure'
    this.reason = reason
  }
}

/** The outcome of a job whose question stayed without an answer. Throws anything that is not a `ResticFailure`. */
export function outcomeOfSilence(context: RepositoryContext, error: unknown): Outcome {
  if (!(error instanceof ResticFailure)) throw error
  if (context.signal.aborted) return stoppedOutcome(context.signal)
  return { status: 'failed', reason: error.reason, error: error.message, warnings: [] }
}

/** What restic prints for these arguments. Throws `ResticFailure`, also when the deadline passes. */
export async function ask(
  context: RepositoryContext,
  args: readonly string[],
  deadlineMs: number = DEADLINES * context.timing.probeDeadline,
): Promise<string> {
  const end = await runCommand(context, { args, deadlineMs, graceMs: LOCKLESS_GRACE_MS, document: true })
  if (end.exit.exitCode === 0 && end.exit.failure === undefined) return end.exit.document
  if (context.signal.aborted) {
    const { reason = 'failed', error = '' } = stoppedOutcome(context.signal)
    throw new ResticFailure(reason, error)
  }
  const { reason, error } = failureOf(end)
  throw new ResticFailure(reason, error)
}
