// What an operator sees of the records that wait on a host.
import { z } from 'zod'
import { SetAside } from './agent.ts'

/** What waits on a host's disk, as of its last heartbeat. */
export const HostSpool = z.object({
  facts: z.number(),
  logBytes: z.number(),
  full: z.boolean(), // its disk takes nothing more
  resetAt: z.date().nullable(), // it was damaged then and begun anew: facts of before may be missing
  setAside: SetAside.nullable(), // facts this server would not take, kept on the host
})
export type HostSpool = z.infer<typeof HostSpool>
