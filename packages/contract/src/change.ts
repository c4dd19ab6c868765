// What the server tells a page while it is open: what to read again.
import { z } from 'zod'

/** What to read again. `id` is the host, job, repository, enrolment or alert, and empty for `audit`, which only admins hear of. `everything`: notifications may have been lost. */
export const Change = z.object({
  topic: z.enum(['host', 'job', 'repository', 'snapshots', 'enrolment', 'alert', 'audit', 'everything']),
  id: z.string(),
})
export type Change = z.infer<typeof Change>
