// What an admin has decided for the whole installation.
import { eq } from 'drizzle-orm'
import { LogDays, usualLogDays } from '@restic-manager/contract/settings'
import type { Db } from '../db/open.ts'
import { settings } from '../db/schema.ts'

const logDaysSetting = 'log_days'

/** How many whole days logs are kept. */
export async function readLogDays(db: Db): Promise<number> {
  const [kept] = await db
    .select({ value: settings.value })
    .from(settings)
    .where(eq(settings.name, logDaysSetting))
  return LogDays.safeParse(kept?.value).data ?? usualLogDays
}

/** Takes over what was decided. Safe to call twice; the last one counts. */
export async function updateSettings(db: Db, { logDays }: { logDays: number }): Promise<void> {
  await db
    .insert(settings)
    .values({ name: logDaysSetting, value: logDays })
    .onConflictDoUpdate({ target: settings.name, set: { value: logDays } })
}
