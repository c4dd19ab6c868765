// For benchmarks only: a database as it is shipped, with a host in it whose logs go the server's own way.
import { eq, sql } from 'drizzle-orm'
import type { LogAnswer, LogStreamBlock } from '@restic-manager/contract/log'
import type { Db } from './db/open.ts'
import { jobs } from './db/schema.ts'
import { logDaySizes, makeLogDay, turnLogDays } from './fleet/log-days.ts'
import { createLogIntake } from './fleet/log-intake.ts'
import { appendLog } from './fleet/logs.ts'
import { updateSettings } from './fleet/settings.ts'
import { openShipped } from './testing-shipped.ts'

export type LogStore = AsyncDisposable & {
  url: string
  db: Db
  /** A new job of the host; its log lies with `day`, or with the day of its first block. */
  newJob(day?: string): Promise<string>
  /** What the server does with a block once its frame is read and parsed. */
  append(block: LogStreamBlock): Promise<LogAnswer>
  /** What a day takes on disk with its indexes, 0 when it is gone. */
  bytesOf(day: string): Promise<number>
  /** One round of the chore that drops days older than `logDays`. Answers the days that went. */
  dropOldDays(logDays: number): Promise<string[]>
}

/** Starts the database of `dataDir` and makes the host, its repository and the days of the next week. */
export async function openLogStore(dataDir: string): Promise<LogStore> {
  const shipped = await openShipped(dataDir)
  const { db, host } = shipped
  const intake = createLogIntake()
  return {
    url: shipped.url,
    db,
    async newJob(day) {
      const { jobId } = await host.backUp()
      await db
        .update(jobs)
        .set({ status: 'succeeded', finishedAt: sql`now()` })
        .where(eq(jobs.id, jobId))
      if (day === undefined) return jobId
      await makeLogDay(db, day)
      await db.update(jobs).set({ logDay: day }).where(eq(jobs.id, jobId))
      return jobId
    },
    append: block => intake.take(host.hostId, block.block.length, () => appendLog(db, host.sender, block)),
    bytesOf: async day => (await logDaySizes(db)).find(each => each.day === day)?.bytes ?? 0,
    async dropOldDays(logDays) {
      await updateSettings(db, { logDays })
      return (await turnLogDays(db)).removed
    },
    [Symbol.asyncDispose]: () => shipped[Symbol.asyncDispose](),
  }
}
