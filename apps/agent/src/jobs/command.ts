// One restic command on a job's repository: access put in, words collected, a deadline kept.
import { jobReasons, type JobReason } from '@restic-manager/contract/reasons'
import type { Target } from '../restic/args.ts'
import { askHelper, lacksWordsOfHelper } from '../restic/ask-helper.ts'
import { baseEnvironment, secretsOf } from '../restic/environment.ts'
import { lendAccess } from '../restic/lend-access.ts'
import type { ResticLine } from '../restic/messages.ts'
import {
  failureReason,
  failureSentence,
  gatherEvidence,
  reasonOfSilence,
  type Evidence,
} from '../restic/outcome.ts'
import { makeRedactor } from '../restic/redact.ts'
import { runRestic, type ResticExit } from '../restic/run.ts'
import { TIMEOUT } from './time-limit.ts'
import { STALLED } from './watchdog.ts'
import type { Outcome, RepositoryContext } from './context.ts'

export type Command = {
  args: readonly string[]
  /** Programs that become restic. */
  before?: readonly string[]
  /** After this long restic is stopped and counts as unanswered. */
  deadlineMs?: number
  /** Between SIGINT and SIGKILL. A command that takes no lock needs little. */
  graceMs?: number
  document?: boolean
  /** Aborts the command besides the job's own signal. Counts as unanswered too, unless its reason is `STALLED`. */
  giveUp?: AbortSignal
  onSpawn?(pid: number): void
  onLine?(line: ResticLine): void
}

/** How a command ended. `unanswered`: the deadline passed or it was given up. `stalled`: nothing moved in it for too long. */
export type CommandEnd = {
  exit: ResticExit
  evidence: Evidence
  unanswered: boolean
  stalled: boolean
  deadlineMs?: number
}

/** Grace for commands that leave nothing behind when they are killed. */
export const LOCKLESS_GRACE_MS = 5_000

/** What the arguments of a command depend on. */
export const targetOf = ({ repository, restic, bandwidth }: RepositoryContext): Target => ({
  access: repository,
  version: restic.version,
  ...(bandwidth === undefined ? {} : { bandwidth }),
})

/** Runs one command. Never rejects for restic's failures. */
export async function runCommand(context: RepositoryContext, command: Command): Promise<CommandEnd> {
  const { repository, restic, folders, signal, timing } = context
  const evidence = gatherEvidence()
  const impatience = [
    ...(command.deadlineMs === undefined ? [] : [AbortSignal.timeout(command.deadlineMs)]),
    ...(command.giveUp === undefined ? [] : [command.giveUp]),
  ]
  const hear = (line: ResticLine) => {
    evidence.hear(line)
    command.onLine?.(line)
  }
  using lent = lendAccess(repository, restic.version, folders)
  const env = { ...baseEnvironment(folders), ...lent.env }
  const secrets = secretsOf(repository)
  const exit = await runRestic({
    path: restic.path,
    args: command.args,
    before: command.before ?? [],
    env,
    secrets,
    signal: AbortSignal.any([signal, ...impatience]),
    graceMs: command.graceMs ?? timing.cancelGrace,
    document: command.document ?? false,
    ...(command.onSpawn === undefined ? {} : { onSpawn: command.onSpawn }),
    onLine: hear,
  })
  if (exit.exitCode !== 0 && !exit.interrupted && lacksWordsOfHelper(evidence.words())) {
    const redact = makeRedactor(secrets)
    for (const said of await askHelper(repository.url, env, signal))
      hear({ stream: 'stderr', payload: redact(said) })
  }
  const wasGivenUp = exit.interrupted && !signal.aborted && impatience.some(each => each.aborted)
  const stalled = wasGivenUp && command.giveUp?.reason === STALLED
  return {
    exit,
    evidence,
    stalled,
    unanswered: wasGivenUp && !stalled,
    ...(command.deadlineMs === undefined ? {} : { deadlineMs: command.deadlineMs }),
  }
}

/** How the process ended, as an outcome carries it. */
export function exitOf({ exitCode, signal }: ResticExit): Pick<Outcome, 'exitCode' | 'signal'> {
  return { ...(exitCode === undefined ? {} : { exitCode }), ...(signal === undefined ? {} : { signal }) }
}

/** The outcome of a command that did not do its work. */
export function failedOutcome(context: RepositoryContext, end: CommandEnd): Outcome {
  if (context.signal.aborted) return { ...stoppedOutcome(context.signal), ...exitOf(end.exit) }
  const { reason, error } = failureOf(end)
  return { status: 'failed', reason, error, ...exitOf(end.exit), warnings: [] }
}

/** Why a command failed, as a code and a sentence. */
export function failureOf({ exit, evidence, unanswered, stalled, deadlineMs }: CommandEnd): {
  reason: JobReason
  error: string
} {
  const words = evidence.words() || (exit.failure ?? '')
  if (stalled) return { reason: 'stalled', error: failureSentence('stalled', words) }
  if (!unanswered) {
    const reason = failureReason(exit, words)
    return { reason, error: failureSentence(reason, words) }
  }
  const reason = reasonOfSilence(words)
  if (reason !== undefined || deadlineMs === undefined) {
    const known = reason ?? 'unreachable'
    return { reason: known, error: failureSentence(known, words) }
  }
  const seconds = Math.round(deadlineMs / 1000)
  return {
    reason: 'unreachable',
    error: `${jobReasons.unreachable} No answer came within ${seconds} seconds.`,
  }
}

/** What may stop a job besides an operator. */
const stopReasons = ['agent_stopping', TIMEOUT] as const

/** The outcome of a job that somebody, or its own limit, stopped. */
export function stoppedOutcome(signal: AbortSignal): Outcome {
  const reason = stopReasons.find(each => each === signal.reason) ?? 'cancelled_by_operator'
  const status = reason === 'cancelled_by_operator' ? 'cancelled' : 'failed'
  return { status, reason, error: jobReasons[reason], warnings: [] }
}
