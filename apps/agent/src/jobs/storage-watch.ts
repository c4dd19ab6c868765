// Listens for trouble with the storage: requests that are tried again, one that is full, one that never answers.
import type { Timing } from '@restic-manager/contract/timing'
import { isRetry } from '../restic/outcome.ts'
import type { WarningList } from './warnings.ts'

export type StorageWatch = Disposable & {
  /** A line of text from restic. True: it tries a request again. */
  hear(words: string): boolean
  /** The repository has opened: a storage that is silent now may come back. */
  opened(): void
  /** Aborts when the repository could not be opened, or stayed full, for as long as a probe may take. */
  readonly giveUp: AbortSignal
}

/** Dispose of it when restic has ended. */
export function watchStorage({ probeDeadline }: Timing, warnings: WarningList): StorageWatch {
  const giveUp = new AbortController()
  let isOpen = false
  let givingUp: NodeJS.Timeout | undefined
  /** Stops restic soon, unless it ends by itself before. */
  const giveUpSoon = () => {
    givingUp ??= setTimeout(() => giveUp.abort(), probeDeadline)
  }
  return {
    hear(words) {
      const tries = isRetry(words)
      if (tries) {
        warnings.add(
          'storage_retried',
          'The storage did not answer every request at once. restic tried again.',
        )
        // A new restic tries for 15 minutes to open a repository that is not there. One it has opened may come back.
        if (!isOpen && /\(<(config|key|lock)\//.test(words)) giveUpSoon()
      }
      // restic goes on trying to store where nothing fits, and 0.18.0 sometimes hangs for ever after it has given up.
      if (/^Save\(<.*\) failed: |507 Insufficient Storage|no space left on device/.test(words)) giveUpSoon()
      return tries
    },
    opened() {
      if (isOpen) return
      isOpen = true
      clearTimeout(givingUp)
      givingUp = undefined
    },
    giveUp: giveUp.signal,
    [Symbol.dispose]: () => clearTimeout(givingUp),
  }
}
