// Rows of the audit log that are old go, the first ones first. A row of the log itself says which, and anchors the chain of the rest.
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import type { Db } from '../db/open.ts'
import { theServer, waitForAudit, writeAudit } from './audit.ts'
import { readAuditDays } from './settings.ts'
import { readTwoClocks } from './two-clocks.ts'

const usual = {
  /** Rows that go in one transaction. */
  step: 2_000,
  /** How long a round goes on. What is left waits for the next. */
  forMs: 60_000,
}

/** What the row says that stands for those that went. */
export const expiryAction = 'audit rows expired'

/** What it holds beside the action. `digest`: the hash of the last row that went, hexadecimal; the row after it is hashed with that. */
export type AuditExpiry = { from: number; through: number; digest: string; keptDays: number }

/** `clocksApartMs`: how far the database's clock is from this server's, when that is too far to remove anything by it. */
export type ExpiredAudit = { removed: number; clocksApartMs?: number }

/**
 * Removes whole days (UTC) of rows that are older than the setting says: a day at a time leaves one row, however often this is called.
 * Safe to run anywhere, at any time, twice, and several at once. Between steps it rests as long as the step took.
 */
export async function removeExpiredAudit(
  db: Db,
  wish: Partial<typeof usual> & { now?: () => number } = {},
): Promise<ExpiredAudit> {
  const { step, forMs, now } = { ...usual, ...wish }
  const keptDays = await readAuditDays(db)
  if (keptDays === null) return { removed: 0 }
  const clock = await readTwoClocks(db, now)
  if (clock.apartMs !== undefined) return { removed: 0, clocksApartMs: clock.apartMs }
  const end = performance.now() + forMs
  let removed = 0
  for (;;) {
    const begun = performance.now()
    const taken = await removeStep(db, { keptDays, today: clock.today, step })
    removed += taken
    if (taken < step || performance.now() > end) return { removed }
    await sleep(performance.now() - begun)
  }
}

type Gone = { from: string; through: string; digest: string; count: number }

/** The first rows up to one that is to stay, so that what is left begins where what went ends. */
async function removeStep(
  db: Db,
  { keptDays, today, step }: { keptDays: number; today: string; step: number },
): Promise<number> {
  return db.transaction(async tx => {
    await tx.execute(sql`select set_config('restic_manager.expiring', 'on', true)`)
    await waitForAudit(tx)
    const [gone] = await tx.execute<Gone>(sql`
      with first as materialized (
        select number, at, hash, host_ids from audit_events order by number limit ${step}
      ), edge as (
        select coalesce(min(number), 9223372036854775807) as number from first
        where at >= (${today}::date - ${keptDays}::int)::timestamp at time zone 'utc'
      ), due as materialized (
        select first.* from first, edge where first.number < edge.number
      ), unlisted as (
        delete from audit_event_hosts listed using due, unnest(due.host_ids) as about(host_id)
        where listed.host_id = about.host_id and listed.at = due.at and listed.number = due.number
      ), removed as (
        delete from audit_events using due where audit_events.number = due.number returning audit_events.number
      )
      select min(due.number)::text as from, max(due.number)::text as through, count(*)::integer as count,
        (select encode(hash, 'hex') from due order by number desc limit 1) as digest
      from due join removed using (number) having count(*) > 0`)
    if (gone === undefined) return 0
    const { count, digest } = gone
    const expiry: AuditExpiry = {
      from: Number(gone.from),
      through: Number(gone.through),
      digest,
      keptDays,
    }
    await writeAudit(tx, { actor: theServer, action: expiryAction, after: expiry })
    return count
  })
}
