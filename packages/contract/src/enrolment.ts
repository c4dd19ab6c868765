// What operators see of an enrolment. Times are `Date`: superjson carries them.
import { z } from 'zod'
import { Id } from './ids.ts'

/** How far an enrolment has come: the dialog that waits and turns green reads this. */
export const EnrolmentView = z.object({
  id: Id,
  createdAt: z.date(),
  createdBy: z.string(),
  expiresAt: z.date(),
  maxUses: z.number(),
  usesLeft: z.number(),
  needsApproval: z.boolean(),
  revokedAt: z.date().nullable(),
  refusedCount: z.number(), // redemptions that were turned down
  lastRefusedAt: z.date().nullable(),
  hosts: z.array(
    z.object({
      id: Id,
      name: z.string(),
      redeemedAt: z.date(),
      provedAt: z.date().nullable(),
      waitsSince: z.date().nullable(), // for an admin who lets it in
      fingerprint: z.string(),
      online: z.boolean(),
      resticVersion: z.string().nullable(), // null: none found, or not connected yet
      connectedAt: z.date().nullable(),
    }),
  ),
})
export type EnrolmentView = z.infer<typeof EnrolmentView>
