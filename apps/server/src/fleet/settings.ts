// What an admin has decided for the whole installation.
import { eq, sql } from 'drizzle-orm'
import type { z } from 'zod'
import {
  AuditDays,
  JobDays,
  LogDays,
  type SettingsUpdateRequest,
  usualAuditDays,
  usualJobDays,
  usualLogDays,
} from '@restic-manager/contract/settings'
import type { Db } from '../db/open.ts'
import { settings } from '../db/schema-server.ts'

const names = { logDays: 'log_days', jobDays: 'job_days', auditDays: 'audit_days' } as const

/** How many whole days logs are kept. */
export const readLogDays = (db: Db): Promise<number> => readSetting(db, names.logDays, LogDays, usualLogDays)

/** How many whole days jobs are kept after they ended. */
export const readJobDays = (db: Db): Promise<number> => readSetting(db, names.jobDays, JobDays, usualJobDays)

/** How many whole days rows of the audit log are kept; null: for ever. */
export const readAuditDays = (db: Db): Promise<number | null> =>
  readSetting<number | null>(db, names.auditDays, AuditDays, usualAuditDays)

/** What cannot be read is as if nobody had decided. */
async function readSetting<T>(db: Db, name: string, schema: z.ZodType<T>, usual: T): Promise<T> {
  const [kept] = await db.select({ value: settings.value }).from(settings).where(eq(settings.name, name))
  if (kept === undefined) return usual
  const read = schema.safeParse(kept.value)
  return read.success ? read.data : usual
}

/** Takes over what was decided; what is left out stays. Safe to call twice; the last one counts. */
export async function updateSettings(db: Db, wish: SettingsUpdateRequest): Promise<void> {
  for (const [key, name] of Object.entries(names) as [keyof typeof names, string][]) {
    const wanted = wish[key]
    if (wanted === undefined) continue
    const value = wanted ?? sql`'null'::jsonb`
    await db
      .insert(settings)
      .values({ name, value })
      .onConflictDoUpdate({ target: settings.name, set: { value } })
  }
}
