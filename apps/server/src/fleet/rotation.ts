// Checks that read everything in turns: which part is next, and when it moves on.
import { and, desc, eq, sql } from 'drizzle-orm'
import type { Db } from '../db/open.ts'
import { jobs, schedules } from '../db/schema.ts'

/** The part of `of` that the next check of a schedule reads, from 1. Another number of parts than before begins a new round. */
export async function nextPart(tx: Db, scheduleId: string, of: number): Promise<number> {
  const [schedule] = await tx
    .select({ next: schedules.nextCheckPart })
    .from(schedules)
    .where(eq(schedules.id, scheduleId))
    .for('no key update')
  if (schedule === undefined || schedule.next === 1) return 1
  const [last] = await tx
    .select({ of: sql<number>`(${jobs.spec} #>> '{readPart,of}')::integer` })
    .from(jobs)
    .where(and(eq(jobs.scheduleId, scheduleId), readSomePart))
    .orderBy(desc(jobs.createdAt), desc(jobs.id))
    .limit(1)
  if (last?.of === of && schedule.next <= of) return schedule.next
  await tx.update(schedules).set({ nextCheckPart: 1 }).where(eq(schedules.id, scheduleId))
  return 1
}

const readSomePart = sql`jobs.kind = 'check' and jobs.status = 'succeeded' and jobs.reported and jobs.spec ? 'readPart'`

/**
 * Moves a rotation on after a check that succeeded, when `part` was the next one and has now been read in every repository of
 * the schedule. Safe to call twice: the second time another part is next.
 */
export async function moveRotation(
  tx: Db,
  scheduleId: string,
  { part, of }: { part: number; of: number },
): Promise<void> {
  await tx.execute(sql`
    update schedules set next_check_part = ${part >= of ? 1 : part + 1}
    where schedules.id = ${scheduleId} and schedules.next_check_part = ${part}
      and not exists (
        select 1 from unnest(schedules.repository_ids) as of_schedule(repository_id)
        where ${JSON.stringify({ part, of })}::jsonb is distinct from (
          select jobs.spec -> 'readPart' from jobs
          where jobs.schedule_id = schedules.id and jobs.repository_id = of_schedule.repository_id and ${readSomePart}
          order by jobs.created_at desc, jobs.id desc limit 1))`)
}
