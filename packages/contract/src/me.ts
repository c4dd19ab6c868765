// Who is asking.
import { z } from 'zod'
import { Id } from './ids.ts'
import { Role } from './role.ts'

/** Who is asking, and what about this server they should know. */
export const Me = z.object({
  operatorId: Id,
  name: z.string(),
  email: z.string(),
  role: Role,
  tags: z.array(z.string()).nullable(), // sees and changes only hosts with one of these; null: all
  serverVersion: z.string(),
  publicUrl: z.string(), // what agents dial
  caPin: z.string().nullable(), // of the authority that agents pin; null: one that everybody knows
  plainHttp: z.boolean(), // the page is served without TLS to others than this machine
})
export type Me = z.infer<typeof Me>
