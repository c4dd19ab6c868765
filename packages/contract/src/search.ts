// Finding things of the fleet by a few letters: what the command palette asks for.
import { z } from 'zod'
import { Id } from './ids.ts'
import { JobKind, JobStatus } from './job.ts'
import { BackendKind } from './repository.ts'
import { text } from './scalars.ts'
import { ScheduleKind } from './schedule.ts'
import { HostState } from './views.ts'

/** Every word of `text` has to be found in a thing. `limit`: things of each kind. */
export const SearchRequest = z.object({ text: text(100), limit: z.int().min(1).max(20).default(5) })
export type SearchRequest = z.infer<typeof SearchRequest>

/** Names that begin with what was asked for come first. Jobs are the newest, or those whose id begins with it. */
export const SearchFound = z.object({
  hosts: z.array(z.object({ id: Id, name: z.string(), state: HostState, tags: z.array(z.string()) })),
  repositories: z.array(z.object({ id: Id, name: z.string(), kind: BackendKind })),
  schedules: z.array(
    z.object({ id: Id, name: z.string(), kind: ScheduleKind, hostName: z.string(), enabled: z.boolean() }),
  ),
  jobs: z.array(
    z.object({ id: Id, kind: JobKind, status: JobStatus, hostName: z.string(), createdAt: z.date() }),
  ),
})
export type SearchFound = z.infer<typeof SearchFound>
