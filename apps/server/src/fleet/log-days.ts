// The days of logs: each is a partition of its own, made ahead of time and dropped whole when it is old.
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import type { Db } from '../db/open.ts'
import { deadlockDetected, hasSqlState } from '../db/sql-state.ts'
import { readLogDays } from './settings.ts'
import { readTwoClocks } from './two-clocks.ts'

/** Days that are there before they are needed. A server that is stopped for longer makes them when they are. */
const DAYS_AHEAD = 7
/** Any fixed number: two servers that make or drop days take turns on it. */
const turnLock = 7_264_518_043
/** Nobody who appends waits longer than this for a lock that we want, and we ask for it so many times. */
const LOCK_WAIT = '500ms'
const MOST_TRIES = 8
const REST_MS = 250
const lockNotAvailable = '55P03'
const checkViolation = '23514'
const DAY_MS = 86_400_000

/** A day in UTC, as `2026-11-23`. */
type Day = string

const partitionOf = (day: Day) => `log_blocks_${day.replaceAll('-', '')}`
const today = sql`(now() at time zone 'utc')::date`

/**
 * Makes the place for logs of jobs that began to speak on `day`, unless it is there. Safe to call twice, from several servers at
 * once, and inside a transaction, which then holds up whoever writes jobs or logs until it ends.
 */
export async function ensureLogDay(db: Db, day: Day): Promise<void> {
  if (await hasLogDay(db, day)) return
  await db.transaction(async tx => {
    await tx.execute(sql`select pg_advisory_xact_lock(${turnLock})`)
    if (await hasLogDay(tx, day)) return
    // Attaching wants this lock too, and would take it last. Unlike `create … partition of` it lets everybody read and append.
    await tx.execute(sql`lock table jobs in share row exclusive mode`)
    const place = sql.identifier(partitionOf(day))
    const bounds = sql.raw(`from ('${day}') to ('${dayAfter(day)}')`)
    await tx.execute(sql`create table ${place} (like log_blocks including all)`)
    await tx.execute(sql`alter table log_blocks attach partition ${place} for values ${bounds}`)
  })
}

/** The same with short waits for locks, again and again: whoever appends meanwhile is not held up for long. */
export async function makeLogDay(db: Db, day: Day): Promise<void> {
  await withShortWaits(db, tx => ensureLogDay(tx, day))
}

/** Whether an append failed because the place for its day is not there. */
export const lacksLogDay = (error: unknown): boolean => hasSqlState(error, checkViolation)

/** The day of a job's log: that of its first block, or today when there is none yet. */
export async function logDayOf(db: Db, jobId: string): Promise<Day> {
  const [row] = await db.execute<{ day: Day }>(
    sql`select coalesce((select log_day from jobs where id = ${jobId}), ${today})::text as day`,
  )
  return row?.day as Day
}

/** `clocksApartMs`: how far the database's clock is from this server's, when that is too far to drop anything by it. */
export type TurnedLogDays = { removed: Day[]; clocksApartMs?: number }

/**
 * Makes the days ahead and drops what is older than the setting says. A clock that jumped ahead would make every day old, so two
 * clocks have to agree on what day it is before one goes. Any server may do it at any time; both are safe to repeat.
 */
export async function turnLogDays(db: Db, now: () => number = Date.now): Promise<TurnedLogDays> {
  const ahead = await db.execute<{ day: Day }>(
    sql`select (${today} + step)::text as day from generate_series(0, ${DAYS_AHEAD}::int) as step`,
  )
  for (const { day } of ahead) await makeLogDay(db, day)
  const clock = await readTwoClocks(db, now)
  if (clock.apartMs !== undefined) return { removed: [], clocksApartMs: clock.apartMs }
  return { removed: await removeOldLogDays(db, clock.today) }
}

/** The days that have a place, the oldest first, each with what it takes on disk. */
export async function logDaySizes(db: Db): Promise<{ day: Day; bytes: number }[]> {
  const rows = await db.execute<{ name: string; bytes: string }>(sql`
    select relname as name, coalesce(pg_total_relation_size(pg_class.oid), 0)::text as bytes
    from pg_inherits join pg_class on pg_class.oid = inhrelid
    where inhparent = 'log_blocks'::regclass order by relname`)
  return rows.flatMap(({ name, bytes }) => {
    const [, year, month, day] = /^log_blocks_(\d{4})(\d\d)(\d\d)$/.exec(name) ?? []
    return year === undefined ? [] : [{ day: `${year}-${month}-${day}`, bytes: Number(bytes) }]
  })
}

/** Drops whole days that ended more than `logDays` before `until`, and writes down that they are gone. A job that still runs keeps its day. */
async function removeOldLogDays(db: Db, until: Day): Promise<Day[]> {
  const keptDays = await readLogDays(db)
  const days = (await logDaySizes(db)).map(({ day }) => day)
  if (days.length === 0) return []
  const old = await db.execute<{ day: Day }>(sql`
    select day::text as day from jsonb_array_elements_text(${JSON.stringify(days)}::jsonb) as listed(day)
    where day::date < ${until}::date - ${keptDays}::int and not exists (
      select from jobs where status in ('accepted', 'running') and log_day = day::date)
    order by day`)
  const removed: Day[] = []
  for (const { day } of old)
    try {
      if (await withShortWaits(db, tx => removeLogDay(tx, day, keptDays))) removed.push(day)
    } catch (error) {
      // A backup of this database reads for as long as it takes. The next round comes.
      if (!isInTheWay(error)) throw error
      break
    }
  return removed
}

async function removeLogDay(tx: Db, day: Day, keptDays: number): Promise<boolean> {
  await tx.execute(sql`select pg_advisory_xact_lock(${turnLock})`)
  if (!(await hasLogDay(tx, day))) return false
  await tx.execute(sql`lock table only log_blocks in access exclusive mode`)
  await tx.execute(sql`
    insert into removed_log_days (day, kept_days) values (${day}::date, ${keptDays})
    on conflict (day) do update set kept_days = excluded.kept_days, removed_at = excluded.removed_at`)
  await tx.execute(sql`drop table ${sql.identifier(partitionOf(day))}`)
  return true
}

/** Looked up as a row: a name is answered from a memory that may not have heard of what was made just now. */
async function hasLogDay(db: Db, day: Day): Promise<boolean> {
  const found = await db.execute(sql`
    select from pg_class join pg_inherits on inhrelid = pg_class.oid
    where relname = ${partitionOf(checked(day))} and inhparent = 'log_blocks'::regclass`)
  return found.length > 0
}

/** A transaction that would rather begin again than let others queue up behind it. */
async function withShortWaits<T>(db: Db, work: (tx: Db) => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1)
    try {
      return await db.transaction(async tx => {
        await tx.execute(sql`select set_config('lock_timeout', ${LOCK_WAIT}, true)`)
        return work(tx)
      })
    } catch (error) {
      if (!isInTheWay(error) || tries === MOST_TRIES) throw error
      await sleep(REST_MS * (1 + Math.random()))
    }
}

const isInTheWay = (error: unknown) =>
  hasSqlState(error, lockNotAvailable) || hasSqlState(error, deadlockDetected)

/** Part of a statement that takes no parameters. */
function checked(day: Day): Day {
  if (!/^\d{4}-\d\d-\d\d$/.test(day)) throw new Error(`not a day: ${day}`)
  return day
}

const dayAfter = (day: Day): Day =>
  new Date(Date.parse(`${day}T00:00:00Z`) + DAY_MS).toISOString().slice(0, 10)
