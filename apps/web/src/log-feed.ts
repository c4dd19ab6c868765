// Reads a job's log from the server, page by page, then stays at its end while more may come.
import type { Id } from '@restic-manager/contract/ids'
import type { JobView, LogPage } from '@restic-manager/contract/views'
import { useEffect, useRef, useState } from 'react'
import { type LogRow, logFileLine, logRow } from './log-lines.ts'
import { saveText } from './save-text.ts'
import { staySubscribed } from './stay-subscribed.ts'
import { client, sentenceFor, watchForSignOut } from './trpc.ts'

/** The most lines the page keeps; a longer log is whole in its download. */
export const KEPT = 150_000
const PAGE = 5_000
const REDRAW = 80

/** `skipped`: lines before the first one kept. `complete`: nothing more will come. */
export type LogFeed = {
  rows: LogRow[]
  warnings: number
  errors: number
  skipped: number
  complete: boolean
  problem: string | undefined
}

type Growing = LogFeed & { nextSeq: number }

function append(feed: Growing, page: LogPage): void {
  for (const entry of page.entries) {
    if (entry.seq < feed.nextSeq) continue // a tail taken up again may overlap
    const row = logRow(entry)
    if (row.level === 'warn' && !row.gap) feed.warnings += 1
    if (row.level === 'error') feed.errors += 1
    feed.rows.push(row)
  }
  feed.nextSeq = Math.max(feed.nextSeq, page.nextSeq)
  const over = feed.rows.length - KEPT
  if (over > KEPT / 10) {
    feed.rows.splice(0, over)
    feed.skipped += over
  }
}

/** The log of a job, growing. `lastLogSeq` null: it may still grow. */
export function useLogFeed(job: Pick<JobView, 'id' | 'receivedLogSeq' | 'lastLogSeq'>): LogFeed {
  const { id: jobId } = job
  const start = useRef(job.receivedLogSeq)
  const lastLogSeq = useRef(job.lastLogSeq)
  const [feed, setFeed] = useState<LogFeed>({
    rows: [],
    warnings: 0,
    errors: 0,
    skipped: 0,
    complete: false,
    problem: undefined,
  })

  useEffect(() => {
    lastLogSeq.current = job.lastLogSeq
  }, [job.lastLogSeq])

  useEffect(() => {
    const firstSeq = Math.max(0, start.current + 1 - KEPT)
    const growing: Growing = {
      rows: [],
      warnings: 0,
      errors: 0,
      skipped: firstSeq,
      complete: false,
      problem: undefined,
      nextSeq: firstSeq,
    }
    const over = new AbortController()
    let drawing: ReturnType<typeof setTimeout> | undefined
    let stopTail: (() => void) | undefined
    const draw = () => {
      drawing ??= setTimeout(() => {
        drawing = undefined
        setFeed({ ...growing })
      }, REDRAW)
    }
    const take = (page: LogPage) => {
      append(growing, page)
      growing.problem = undefined
      const last = lastLogSeq.current
      growing.complete = page.atEnd && last !== null && growing.nextSeq > last
      if (growing.complete) stopTail?.()
      draw()
    }
    const tail = () => {
      stopTail = staySubscribed(
        telling =>
          client.jobs.tail.subscribe(
            { jobId, fromSeq: growing.nextSeq },
            { ...telling, onData: ({ data }) => take(data) },
          ),
        { failed: watchForSignOut },
      )
    }
    const read = async () => {
      for (let atEnd = false; !atEnd;) {
        const page: LogPage = await client.jobs.log.query(
          { jobId, fromSeq: growing.nextSeq, limit: PAGE },
          { signal: over.signal },
        )
        take(page)
        atEnd = page.atEnd
      }
    }
    read()
      .then(() => {
        if (!over.signal.aborted && !growing.complete) tail()
      })
      .catch((error: unknown) => {
        if (over.signal.aborted) return
        watchForSignOut(error)
        growing.problem = sentenceFor(error)
        draw()
        tail()
      })
    return () => {
      over.abort()
      clearTimeout(drawing)
      stopTail?.()
    }
  }, [jobId])

  return feed
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
