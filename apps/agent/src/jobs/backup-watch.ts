// Listens to a running backup: progress for the live bar, warnings, the summary, and whether it gets anywhere at all.
import { isRetry } from '../restic/outcome.ts'
import type { ResticLine, SummaryMessage } from '../restic/messages.ts'
import { trackProgress } from '../restic/progress.ts'
import type { JobContext } from './context.ts'
import { collectWarnings, type WarningList } from './warnings.ts'

export type BackupWatch = Disposable & {
  /** restic runs: from here on progress is reported. */
  begin(): void
  hear(line: ResticLine): void
  readonly warnings: WarningList
  summary(): SummaryMessage | undefined
  /** How many files and folders could not be read. */
  unread(): number
  /** How many of the folders to back up were not there. */
  missing(): number
  /** Aborts when the repository could not be opened, or stayed full, for as long as a probe may take. */
  readonly giveUp: AbortSignal
}

const EVERY_MS = 1_000
const TICK_MS = 250
const skipped = /^(.*) does not exist, skipping$/

/** Dispose of it when restic has ended: it reports progress by a timer of its own. */
export function watchBackup({ signal, timing, onProgress }: JobContext): BackupWatch {
  const progress = trackProgress(timing.stalledAfter, () => performance.now())
  const warnings = collectWarnings()
  const giveUp = new AbortController()
  let summary: SummaryMessage | undefined
  let unread = 0
  let missing = 0
  let opened = false
  let givingUp: NodeJS.Timeout | undefined

  let reportedAt = -Infinity
  let reported = ''
  const report = () => {
    if (performance.now() - reportedAt < EVERY_MS) return
    const current = progress.current()
    const text = JSON.stringify(current)
    if (text === reported) return
    reportedAt = performance.now()
    reported = text
    onProgress(current)
  }
  let ticking: NodeJS.Timeout | undefined
  const cancelling = () => progress.cancelling()
  signal.addEventListener('abort', cancelling, { once: true })

  /** Stops restic soon, unless it ends by itself before. */
  const giveUpSoon = () => {
    givingUp ??= setTimeout(() => giveUp.abort(), timing.probeDeadline)
  }
  const troubled = (words: string) => {
    if (isRetry(words)) {
      progress.retrying()
      warnings.add('storage_retried', 'The storage did not answer every request at once. restic tried again.')
      // A new restic tries for 15 minutes to open a repository that is not there. One it has opened may come back.
      if (!opened && /\(<(config|key|lock)\//.test(words)) giveUpSoon()
    }
    // restic goes on trying to store where nothing fits, and 0.18.0 sometimes hangs for ever after it has given up.
    if (/^Save\(<.*\) failed: |507 Insufficient Storage|no space left on device/.test(words)) giveUpSoon()
  }
  return {
    begin() {
      ticking = setInterval(report, TICK_MS)
    },
    warnings,
    summary: () => summary,
    unread: () => unread,
    missing: () => missing,
    giveUp: giveUp.signal,
    hear({ stream, payload, message }) {
      if (message?.type === 'status') {
        if (!opened) {
          clearTimeout(givingUp)
          givingUp = undefined
        }
        opened = true
        progress.status(message)
        report()
      } else if (message?.type === 'summary') {
        summary = message
        progress.done()
        report()
        if (message.summary.total_files_processed === 0)
          warnings.add(
            'empty_snapshot',
            'The snapshot holds no file. Check the folders and what is left out.',
          )
      } else if (message?.type === 'error') {
        // A folder is told twice: when it is counted, and when it is read.
        if (message.during === 'scan') return
        unread += 1
        warnings.add('file_unread', message.message || 'It could not be read.', message.item)
      } else if (message === undefined && stream === 'stderr') {
        const [, path] = skipped.exec(payload) ?? []
        if (path !== undefined) {
          missing += 1
          warnings.add('source_missing', 'This folder does not exist on this host.', path)
        } else troubled(payload)
      }
    },
    [Symbol.dispose]() {
      clearInterval(ticking)
      clearTimeout(givingUp)
      signal.removeEventListener('abort', cancelling)
    },
  }
}
