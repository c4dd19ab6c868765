// Facts: what an agent must never lose. Two lanes, each numbered by itself.
import { z } from 'zod'
import { Instant } from './scalars.ts'

/** `first`: answers the server waits for. `rest`: everything else, in the order it happened. */
export const Lane = z.enum(['first', 'rest'])
export type Lane = z.infer<typeof Lane>

/** What every fact carries. `seq` rises within a lane of one spool epoch; holes are allowed. `occurredAt` is the agent's clock. */
export const Fact = z.object({ lane: Lane, seq: z.int().min(1), occurredAt: Instant })
export type Fact = z.infer<typeof Fact>

/** The fact `seq` is committed in the database. Sending it again changes nothing. */
export const Ack = z.object({ seq: z.int().min(1) })
export type Ack = z.infer<typeof Ack>

/** The highest committed `seq` of each lane of the spool's epoch. 0: none. */
export const AckedSeq = z.object({ first: z.int().min(0), rest: z.int().min(0) })
export type AckedSeq = z.infer<typeof AckedSeq>
