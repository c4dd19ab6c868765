// What an operator may do at most.
import { z } from 'zod'

/** A viewer looks; an operator also runs, cancels, tests and pauses; an admin also changes what hosts do, and where to. */
export const Role = z.enum(['viewer', 'operator', 'admin'])
export type Role = z.infer<typeof Role>

/** The roles by what they may: a higher one may all that a lower one may. */
export const roleRanks = { viewer: 0, operator: 1, admin: 2 } as const satisfies Record<Role, number>
