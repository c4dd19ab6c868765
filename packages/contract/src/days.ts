// How the backups of a day went.
import { z } from 'zod'

/** A calendar day in UTC, as YYYY-MM-DD. */
export const Day = z.iso.date()

/** Backups of one day by how they ended, each repository of a slot counted. A slot belongs to the day it was planned for. */
export const BackupDay = z.object({
  day: Day,
  succeeded: z.number(),
  incomplete: z.number(),
  failed: z.number(),
  lost: z.number(),
  missed: z.number(),
  /** Skipped, expired and cancelled. */
  skipped: z.number(),
})
export type BackupDay = z.infer<typeof BackupDay>
