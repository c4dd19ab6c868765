// Reads a job's log from the server, page by page, then stays at its end while more may come.
import type { Id } from '@restic-manager/contract/ids'
import type { JobView, LogPage } from '@restic-manager/contract/views'
import { useEffect, useState, useSyncExternalStore } from 'react'
import { logFileLine } from './log-lines.ts'
import { createLogStore, KEPT, type LogFeed } from './log-store.ts'
import { saveText } from './save-text.ts'
import { staySubscribed } from './stay-subscribed.ts'
import { client, sentenceFor, watchForSignOut } from './trpc.ts'

const PAGE = 5_000

/** The log of one job, growing. The component that calls it belongs to one job. `complete`: nothing more will come. */
export function useLogFeed(
  job: Pick<JobView, 'id' | 'receivedLogSeq' | 'lastLogSeq'>,
): LogFeed & { complete: boolean } {
  const { id: jobId, lastLogSeq } = job
  const [store] = useState(() => createLogStore(Math.max(0, job.receivedLogSeq + 1 - KEPT)))
  const [caughtUp, setCaughtUp] = useState(false)
  const feed = useSyncExternalStore(store.subscribe, store.snapshot)
  const complete = caughtUp && lastLogSeq !== null && feed.nextSeq > lastLogSeq

  useEffect(() => {
    const over = new AbortController()
    const read = async () => {
      for (let atEnd = false; !atEnd;) {
        const page: LogPage = await client.jobs.log.query(
          { jobId, fromSeq: store.nextSeq(), limit: PAGE },
          { signal: over.signal },
        )
        store.take(page)
        atEnd = page.atEnd
      }
    }
    read()
      .catch((error: unknown) => {
        if (over.signal.aborted) return
        watchForSignOut(error)
        store.fail(sentenceFor(error))
      })
      .finally(() => {
        if (!over.signal.aborted) setCaughtUp(true) // a tail goes on where the pages ended, wherever that is
      })
    return () => over.abort()
  }, [jobId, store])

  useEffect(() => {
    if (!caughtUp || complete) return
    return staySubscribed(
      telling =>
        client.jobs.tail.subscribe(
          { jobId, fromSeq: store.nextSeq() },
          { ...telling, onData: ({ data }) => store.take(data) },
        ),
      { failed: watchForSignOut },
    )
  }, [jobId, store, caughtUp, complete])

  return { ...feed, complete }
}

/** Saves the whole log as a file, with the true payload of every line. */
export async function downloadLog(jobId: Id): Promise<void> {
  const parts: string[] = []
  let fromSeq = 0
  for (let atEnd = false; !atEnd;) {
    const page: LogPage = await client.jobs.log.query({ jobId, fromSeq, limit: PAGE })
    parts.push(page.entries.map(logFileLine).join(''))
    fromSeq = page.nextSeq
    atEnd = page.atEnd
  }
  saveText(`job-${jobId}.log`, parts)
}
