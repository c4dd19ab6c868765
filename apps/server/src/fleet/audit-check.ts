// Whether the audit log is whole: every row fits the one before it, and none is missing but those whose time was over.
import { and, asc, desc, eq, gt, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Db } from '../db/open.ts'
import { auditEvents } from '../db/schema-operators.ts'
import { auditHash, firstHash } from './audit.ts'
import { expiryAction } from './expired-audit.ts'

/** A row that was noted elsewhere: the log must still hold it as it was. `hash`: hexadecimal. */
export type Noted = { number: number; hash: string }

/** The rows before the first one there is: through which number they went, and which row says so. */
export type Expired = { through: number; keptDays: number; saidBy: number; at: Date }

/**
 * How far the log goes, and the hash of its last row, for noting elsewhere; or a sentence that names the first row that is wrong. `rows`: the
 * number of the last one. `notedHasExpired`: so nobody can tell whether it was there.
 */
export type AuditCheck =
  | { rows: number; hash: string; expired?: Expired; notedHasExpired?: true }
  | { wrong: string }

/**
 * Reads the whole audit log from its first row. Whoever can write to the database could make a new chain; only `noted`, kept
 * elsewhere, shows that, and shows rows that were cut off at the end. `atATime`: rows in memory.
 */
export async function checkAudit(db: Db, noted?: Noted, atATime = 1_000): Promise<AuditCheck> {
  const begin = await beginOf(db)
  if ('wrong' in begin) return begin
  let { number, hash } = begin
  if (number > 0 && number === noted?.number && hash.toString('hex') !== noted.hash.toLowerCase())
    return { wrong: writtenAnew(number) }
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
        return { wrong: writtenAnew(number) }
    }
    if (batch.length < atATime) break
  }
  if (noted !== undefined && noted.number > number)
    return {
      wrong: `Row ${number + 1} is missing: the log ends before row ${noted.number}, which was noted.`,
    }
  const { expired } = begin
  return {
    ...{ rows: number, hash: hash.toString('hex') },
    ...(expired === undefined ? {} : { expired }),
    ...(noted !== undefined && noted.number < begin.number ? { notedHasExpired: true } : {}),
  }
}

const writtenAnew = (number: number) =>
  `Row ${number} is not the one that was noted: the log was written anew.`

const Said = z.object({
  through: z.number(),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  keptDays: z.number(),
})
type Begin = { number: number; hash: Buffer; expired?: Expired }

/**
 * Where the chain begins: before row 1, or after the rows that expired. A row of the log says which those were, and is checked in its turn
 * as every other: its own hash covers what it says.
 */
async function beginOf(db: Db): Promise<Begin | { wrong: string }> {
  const [first] = await db
    .select({ number: auditEvents.number })
    .from(auditEvents)
    .orderBy(asc(auditEvents.number))
    .limit(1)
  if (first === undefined || first.number === 1) return { number: 0, hash: firstHash }
  const through = first.number - 1
  const [row] = await db
    .select({ number: auditEvents.number, at: auditEvents.at, after: auditEvents.after })
    .from(auditEvents)
    .where(
      and(eq(auditEvents.action, expiryAction), sql`${auditEvents.after} ->> 'through' = ${String(through)}`),
    )
    .orderBy(desc(auditEvents.number))
    .limit(1)
  const said = Said.safeParse(row?.after)
  if (row === undefined || !said.success)
    return { wrong: `Row 1 is missing: row ${first.number} comes next.` }
  const { digest, keptDays } = said.data
  const expired = { through, keptDays, saidBy: row.number, at: row.at }
  return { number: through, hash: Buffer.from(digest, 'hex'), expired }
}
