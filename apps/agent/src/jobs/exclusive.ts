// One restic command that has the repository to itself: watched, tried again while locked, cleared up after.
import type { ResticLine } from '../restic/messages.ts'
import { deletionRefusal } from '../restic/outcome.ts'
import { readStage } from '../restic/stages.ts'
import { clearLeftLock, untilUnlocked } from './attempts.ts'
import { exitOf, failedOutcome, runCommand, type CommandEnd } from './command.ts'
import type { JobContext, Outcome } from './context.ts'
import { reportProgress } from './progress-reports.ts'
import { trackStages, type Stage } from './stage-progress.ts'
import { watchStorage } from './storage-watch.ts'
import { watchForStall } from './watchdog.ts'
import type { WarningList } from './warnings.ts'

export type ExclusiveCommand = {
  args: readonly string[]
  warnings: WarningList
  onSpawn(pid: number): void
  /** What restic prints on stdout is one document. */
  document?: boolean
  /** The stages of its progress, where it tells of any. */
  stages?: readonly Stage[]
  onText?(line: string, stream: ResticLine['stream']): void
}

/** How it ended. `refusal`: restic's words when the storage did not let it delete. */
export type ExclusiveEnd = { end: CommandEnd; refusal: string | undefined }

/** Runs the command. A lock it may have left when it was stopped is removed, or becomes a warning. */
export async function runExclusive(context: JobContext, command: ExclusiveCommand): Promise<ExclusiveEnd> {
  const result = await untilUnlocked(context, () => attempt(context, command))
  await clearLeftLock(context, result.end, command.warnings)
  return result
}

/** The outcome of a command that did not do its work. */
export function failedExclusive(
  context: JobContext,
  { end, refusal }: ExclusiveEnd,
  warnings: WarningList,
): Outcome {
  if (refusal !== undefined && !context.signal.aborted)
    return { ...refusedOutcome(refusal), ...exitOf(end.exit), warnings: warnings.all() }
  return { ...failedOutcome(context, end), warnings: warnings.all() }
}

/** The storage keeps what it has, which for an append-only one is its purpose. */
export function refusedOutcome(words: string): Outcome {
  const said = words === '' ? '' : ` restic said: ${words}`
  const error = `The storage refused to delete. The credential in use may only add.${said}`
  return { status: 'failed', reason: 'deletion_refused', error, warnings: [] }
}

async function attempt(context: JobContext, command: ExclusiveCommand): Promise<ExclusiveEnd> {
  const { signal, timing, onProgress } = context
  const { args, warnings, document = false, stages = [] } = command
  const progress = trackStages(stages, timing.stalledAfter)
  using reports = reportProgress(progress.current, stages.length > 0 ? onProgress : () => {})
  using storage = watchStorage(timing, warnings)
  using watchdog = watchForStall(timing.hungAfter)
  const refused = new AbortController()
  let refusal: string | undefined
  const cancelling = () => progress.cancelling()
  signal.addEventListener('abort', cancelling, { once: true })

  function hearText(words: string, stream: ResticLine['stream']): void {
    const stage = stream === 'stdout' ? readStage(words) : undefined
    if (stage !== undefined) {
      storage.opened()
      if (progress.stage(stage)) watchdog.moved()
      reports.report()
      // What is still under way is progress, not log.
      if (stage.done !== stage.of) return
    } else hearTrouble(words)
    command.onText?.(words, stream)
    context.onLine({ stream, payload: words })
  }

  function hearTrouble(words: string): void {
    const denied = deletionRefusal(words)
    refusal ??= denied?.words
    // An old restic asks again and again, and keeps every other one out meanwhile.
    if (denied?.isRetried === true) refused.abort()
    if (storage.hear(words)) return progress.retrying()
    progress.moved()
    watchdog.moved()
  }

  const end = await runCommand(context, {
    args,
    document,
    giveUp: AbortSignal.any([storage.giveUp, watchdog.signal, refused.signal]),
    onSpawn: pid => {
      command.onSpawn(pid)
      reports.begin()
      watchdog.moved()
    },
    onLine: ({ stream, payload, message }) => {
      if (message === undefined) return hearText(payload, stream)
      watchdog.moved()
      context.onLine({ stream, payload })
    },
  })
  signal.removeEventListener('abort', cancelling)
  return { end, refusal }
}
