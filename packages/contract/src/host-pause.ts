// The pause of a host, as operators see it.
import { z } from 'zod'

/** Who holds the schedules of a host back, since when, and until when; null: until somebody resumes it. */
export const HostPauseView = z.object({
  since: z.date(),
  until: z.date().nullable(),
  by: z.string(),
  reason: z.string().nullable(),
})
export type HostPauseView = z.infer<typeof HostPauseView>
