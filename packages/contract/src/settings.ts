// What holds for the whole installation, and how it is changed.
import { z } from 'zod'

/** How many whole days logs of jobs are kept. */
export const LogDays = z.int().min(1).max(3_650)
export const usualLogDays = 30
/** How many whole days jobs are kept after they ended. Agents keep what they told for 14 days, in case they have to tell it again. */
export const JobDays = z.int().min(30).max(3_650)
export const usualJobDays = 400
/** How many whole days rows of the audit log are kept; null: for ever. Nobody can shorten it to hide what they did this year. */
export const AuditDays = z.int().min(365).max(3_650).nullable()
export const usualAuditDays = null
/** What is left out stays as it is. */
export const SettingsUpdateRequest = z.object({
  logDays: LogDays.optional(),
  jobDays: JobDays.optional(),
  auditDays: AuditDays.optional(),
})
export type SettingsUpdateRequest = z.infer<typeof SettingsUpdateRequest>

/** What holds for the whole installation. `logSizes`: what the logs of each day (UTC) take on disk, the oldest first. */
export const SettingsView = z.object({
  logDays: z.number(),
  jobDays: z.number(),
  auditDays: z.number().nullable(),
  logSizes: z.array(z.object({ day: z.string(), bytes: z.number() })),
})
export type SettingsView = z.infer<typeof SettingsView>

/** So many hosts run this version; null: they have not told of one. */
const VersionCount = z.object({ version: z.string().nullable(), hosts: z.number() })

/** What runs here. `startedAt`: of the server that answers. `agents` and `restics`: of the hosts one may see, most hosts first. */
export const AboutView = z.object({
  version: z.string(),
  startedAt: z.date(),
  node: z.string(),
  postgres: z.string(),
  databaseBytes: z.number(),
  agents: z.array(VersionCount),
  restics: z.array(VersionCount),
})
export type AboutView = z.infer<typeof AboutView>

/** How much the server that answers turned away since it started, by reason, most first. Each replica counts for itself. */
export const TurnedAwayView = z.array(z.object({ reason: z.string(), count: z.number(), lastAt: z.date() }))
export type TurnedAwayView = z.infer<typeof TurnedAwayView>
