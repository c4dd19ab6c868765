// Alerts: what needs a person, since when, and what ends it.
import { z } from 'zod'
import { Id } from './ids.ts'
import { text } from './scalars.ts'

/**
 * Each kind, and whether it is a `state` that ends by what is done about it, or an `event` that is over once somebody has seen it:
 * acknowledging an event clears it, and if it happens again that is a new alert.
 */
export const alertKinds = {
  token_reused: 'event',
  host_cloned: 'state',
  host_waiting: 'state',
  copy_turned_away: 'event',
  old_key_used: 'event',
  foreign_ids: 'event',
} as const satisfies Record<string, 'state' | 'event'>
export const AlertKind = z.enum(
  Object.keys(alertKinds) as [keyof typeof alertKinds, ...(keyof typeof alertKinds)[]],
)
export type AlertKind = z.infer<typeof AlertKind>

/** `open`: what is not cleared. `all`: also what was, newest first. */
export const AlertListRequest = z.object({
  which: z.enum(['open', 'all']).default('open'),
  hostId: Id.optional(),
  cursor: text(500).optional(),
  limit: z.int().min(1).max(200).default(100),
})
export const AlertRequest = z.object({ alertId: Id })

/** One alert as operators see it. */
export const AlertView = z.object({
  id: Id,
  kind: AlertKind,
  host: z.object({ id: Id, name: z.string() }).nullable(),
  enrolmentId: Id.nullable(),
  repositoryId: Id.nullable(),
  sentence: z.string(),
  since: z.date(),
  lastSeenAt: z.date(),
  count: z.number(),
  acknowledgedBy: z.string().nullable(),
  acknowledgedAt: z.date().nullable(),
  clearedAt: z.date().nullable(),
})
export type AlertView = z.infer<typeof AlertView>

/** `openCount`: alerts that are neither cleared nor acknowledged, whatever the page shows. */
export const AlertPage = z.object({
  rows: z.array(AlertView),
  nextCursor: z.string().nullable(),
  openCount: z.number(),
})
export type AlertPage = z.infer<typeof AlertPage>
