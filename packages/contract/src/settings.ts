// What holds for the whole installation, and how it is changed.
import { z } from 'zod'

/** How many whole days logs of jobs are kept. */
export const LogDays = z.int().min(1).max(3_650)
export const usualLogDays = 30
export const SettingsUpdateRequest = z.object({ logDays: LogDays })

/** What holds for the whole installation. `logSizes`: what the logs of each day (UTC) take on disk, the oldest first. */
export const SettingsView = z.object({
  logDays: z.number(),
  logSizes: z.array(z.object({ day: z.string(), bytes: z.number() })),
})
export type SettingsView = z.infer<typeof SettingsView>

/** How much the server that answers turned away since it started, by reason, most first. Each replica counts for itself. */
export const TurnedAwayView = z.array(z.object({ reason: z.string(), count: z.number(), lastAt: z.date() }))
export type TurnedAwayView = z.infer<typeof TurnedAwayView>
