// Whether the audit log is whole: every row fits the one before it, and none is missing.
import { asc, gt } from 'drizzle-orm'
import type { Db } from '../db/open.ts'
import { auditEvents } from '../db/schema-operators.ts'
import { auditHash, firstHash } from './audit.ts'

/** A row that was noted elsewhere: the log must still hold it as it was. `hash`: hexadecimal. */
export type Noted = { number: number; hash: string }

/** How far the log goes, and the hash of its last row, for noting elsewhere; or a sentence that names the first row that is wrong. */
export type AuditCheck = { rows: number; hash: string } | { wrong: string }

/**
 * Reads the whole audit log from its first row. Whoever can write to the database could make a new chain; only `noted`, kept
 * elsewhere, shows that, and shows rows that were cut off at the end. `atATime`: rows in memory.
 */
export async function checkAudit(db: Db, noted?: Noted, atATime = 1_000): Promise<AuditCheck> {
  let number = 0
  let hash: Buffer = firstHash
  for (;;) {
    const batch = await db
      .select()
      .from(auditEvents)
      .where(gt(auditEvents.number, number))
      .orderBy(asc(auditEvents.number))
      .limit(atATime)
    for (const { hash: kept, ...row } of batch) {
      if (row.number !== number + 1)
        return { wrong: `Row ${number + 1} is missing: row ${row.number} comes next.` }
      hash = auditHash(hash, row)
      if (!kept.equals(hash))
        return {
          wrong: `Row ${row.number} of ${row.at.toISOString()} (${row.action}) was changed, or a row before it was replaced: its hash does not fit.`,
        }
      number = row.number
      if (number === noted?.number && hash.toString('hex') !== noted.hash.toLowerCase())
        return { wrong: `Row ${number} is not the one that was noted: the log was written anew.` }
    }
    if (batch.length < atATime) break
  }
  if (noted !== undefined && noted.number > number)
    return {
      wrong: `Row ${number + 1} is missing: the log ends before row ${noted.number}, which was noted.`,
    }
  return { rows: number, hash: hash.toString('hex') }
}
