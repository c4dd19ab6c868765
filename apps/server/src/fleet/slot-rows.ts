// What the records say of one slot of a schedule, for each repository.
import { and, eq, gte, isNull, lte, sql } from 'drizzle-orm'
import { Refusal } from '@restic-manager/contract/refusal'
import { toSlot } from '@restic-manager/contract/slots'
import type { Db } from '../db/open.ts'
import { jobs } from '../db/schema.ts'
import type { KnownSlot } from './fire-decision.ts'

/** A slot is a whole minute. Anything else names no job. Throws `bad_input`. */
export function checkSlot(at: string): void {
  if (toSlot(Date.parse(at)) !== at)
    throw new Refusal('bad_input', `${at} is no slot: a slot is a whole minute.`)
}

/** `row`: the slot's own. `notRun`: why, when it lies in a range that its host told did not run. */
export type SlotOnRepository = { row: KnownSlot | undefined; notRun: string | undefined }
export type Slot = { of(repositoryId: string): SlotOnRepository }

/** Reads and takes every row that speaks of the slot. `hostId`: the host that fires. */
export async function readSlot(
  tx: Db,
  { scheduleId, hostId, at }: { scheduleId: string; hostId: string; at: string },
): Promise<Slot> {
  const slot = new Date(at)
  const rows = await tx
    .select({
      hostId: jobs.hostId,
      repositoryId: jobs.repositoryId,
      scheduledFor: jobs.scheduledFor,
      status: jobs.status,
      reported: jobs.reported,
      decidedBy: jobs.decidedBy,
      reason: jobs.reason,
      releasedAt: jobs.releasedAt,
    })
    .from(jobs)
    .where(
      and(
        eq(jobs.scheduleId, scheduleId),
        isNull(jobs.retryOf),
        gte(jobs.scheduledFor, slot),
        lte(sql`coalesce(${jobs.notRunFrom}, ${jobs.scheduledFor})`, at),
      ),
    )
    .for('no key update')
  return {
    of(repositoryId) {
      const here = rows.filter(row => row.repositoryId === repositoryId.toLowerCase())
      const own = here.find(row => row.scheduledFor?.getTime() === slot.getTime())
      const range = here.find(row => row !== own)
      return {
        row: own && {
          status: own.status,
          reported: own.reported,
          decidedBy: own.decidedBy,
          reason: own.reason,
          elsewhere: own.hostId !== hostId,
          released: own.releasedAt !== null,
        },
        notRun: range && (range.reason ?? range.status),
      }
    },
  }
}
