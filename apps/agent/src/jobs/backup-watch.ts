// Listens to a running backup: progress for the live bar, warnings, the summary, and whether it gets anywhere at all.
import type { ResticLine, StatusMessage, SummaryMessage } from '../restic/messages.ts'
import { trackProgress } from '../restic/progress.ts'
import type { JobContext } from './context.ts'
import { reportProgress } from './progress-reports.ts'
import { watchStorage } from './storage-watch.ts'
import { watchForStall } from './watchdog.ts'
import { collectWarnings, type WarningList } from './warnings.ts'
import { steady } from '../timers.ts'

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
  /** Aborts when the storage does not answer, or when nothing moves for too long. */
  readonly giveUp: AbortSignal
}

const skipped = /^(.*) does not exist, skipping$/

/** Dispose of it when restic has ended. `patienceMs`: how long nothing may move. */
export function watchBackup({ signal, timing, onProgress }: JobContext, patienceMs: number): BackupWatch {
  const progress = trackProgress(timing.stalledAfter, steady)
  const warnings = collectWarnings()
  const reports = reportProgress(progress.current, onProgress)
  const storage = watchStorage(timing, warnings)
  const watchdog = watchForStall(patienceMs)
  let summary: SummaryMessage | undefined
  let unread = 0
  let missing = 0
  let counted = ''
  const cancelling = () => progress.cancelling()
  signal.addEventListener('abort', cancelling, { once: true })

  function hearStatus(message: StatusMessage) {
    storage.opened()
    progress.status(message)
    // restic goes on saying how far it is while it waits for a disk that never answers.
    const { bytesDone, filesDone, totalBytes, totalFiles } = message
    const counts = [bytesDone, filesDone, totalBytes, totalFiles].join()
    if (counts !== counted) watchdog.moved()
    counted = counts
    reports.report()
  }

  function hearSummary(message: SummaryMessage) {
    summary = message
    progress.done()
    reports.report()
    if (message.summary.total_files_processed === 0)
      warnings.add('empty_snapshot', 'The snapshot holds no file. Check the folders and what is left out.')
  }

  return {
    begin() {
      reports.begin()
      watchdog.moved()
    },
    warnings,
    summary: () => summary,
    unread: () => unread,
    missing: () => missing,
    giveUp: AbortSignal.any([storage.giveUp, watchdog.signal]),
    hear({ stream, payload, message }) {
      if (message?.type === 'status') return hearStatus(message)
      if (message === undefined && stream === 'stderr' && storage.hear(payload)) return progress.retrying()
      watchdog.moved()
      if (message?.type === 'summary') hearSummary(message)
      else if (message?.type === 'error') {
        // A folder is told twice: when it is counted, and when it is read.
        if (message.during === 'scan') return
        unread += 1
        warnings.add('file_unread', message.message || 'It could not be read.', message.item)
      } else if (message === undefined && stream === 'stderr') {
        const [, path] = skipped.exec(payload) ?? []
        if (path === undefined) return
        missing += 1
        warnings.add('source_missing', 'This folder does not exist on this host.', path)
      }
    },
    [Symbol.dispose]() {
      for (const part of [reports, storage, watchdog]) part[Symbol.dispose]()
      signal.removeEventListener('abort', cancelling)
    },
  }
}
