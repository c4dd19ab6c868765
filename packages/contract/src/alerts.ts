// Alerts: what needs a person, since when, and what ends it.
import { z } from 'zod'
import { AlertKind, Check, ClearAction, Severity } from './attention.ts'
import { Id } from './ids.ts'
import { text } from './scalars.ts'

/**
 * `open`: what is not cleared, red first, then what has had no good result for longest. `all`: also what was cleared, newest first.
 * `acknowledged`: only what somebody has acknowledged, or only what nobody has; absent: both.
 */
export const AlertListRequest = z.object({
  which: z.enum(['open', 'all']).default('open'),
  acknowledged: z.boolean().optional(),
  severity: Severity.optional(),
  hostId: Id.optional(),
  repositoryId: Id.optional(),
  cursor: text(500).optional(),
  limit: z.int().min(1).max(200).default(100),
})
export const AlertRequest = z.object({ alertId: Id })

/**
 * One alert as operators see it. `sentence` says what is wrong, `detail` why and what still holds; neither says how long ago, which
 * the times tell. `since`: when it began. `lastGoodAt`: the last good result of the same thing, null when there was none or it
 * has none. `objectiveMs`: how old a good backup of this host may be. `count`: how often it happened, failures in a row.
 */
export const AlertView = z.object({
  id: Id,
  kind: AlertKind,
  severity: Severity,
  check: Check,
  host: z.object({ id: Id, name: z.string() }).nullable(),
  enrolmentId: Id.nullable(),
  repositoryId: Id.nullable(),
  repositoryName: z.string().nullable(),
  scheduleId: Id.nullable(),
  scheduleName: z.string().nullable(),
  jobId: Id.nullable(), // the newest job it is about
  reason: z.string().nullable(), // that job's stable code, or the host's own for a rejected schedule
  sentence: z.string(),
  detail: z.string().nullable(),
  clear: ClearAction.nullable(), // null: nothing to press, it clears by itself
  since: z.date(),
  lastSeenAt: z.date(),
  lastGoodAt: z.date().nullable(),
  objectiveMs: z.number().nullable(),
  count: z.number(),
  acknowledgedBy: z.string().nullable(),
  acknowledgedAt: z.date().nullable(),
  clearedAt: z.date().nullable(),
})
export type AlertView = z.infer<typeof AlertView>

/** Open alerts by how loud they are. Those somebody acknowledged are counted apart. */
export const AlertCounts = z.object({ red: z.number(), amber: z.number(), acknowledged: z.number() })
export type AlertCounts = z.infer<typeof AlertCounts>

/** `counts` and `openCount` are of all open alerts of the scope and host, whatever the page shows. `openCount`: red and amber. */
export const AlertPage = z.object({
  rows: z.array(AlertView),
  nextCursor: z.string().nullable(),
  openCount: z.number(),
  counts: AlertCounts,
})
export type AlertPage = z.infer<typeof AlertPage>
