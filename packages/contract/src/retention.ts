// Retention: which snapshots are kept, in restic's own rules, and what makes a policy dangerous.
import { z } from 'zod'
import { countRules, durationRules } from './retention-rules.ts'
import { text } from './scalars.ts'

const rule = z.int().min(-1_000_000).max(1_000_000).optional() // a negative one is refused by name, not as bad input
const duration = text(60).optional()

/** restic's keep set. Durations as restic writes them: `1y5m7d2h`. What no rule keeps is let go of. */
export const Retention = z.strictObject({
  last: rule,
  hourly: rule,
  daily: rule,
  weekly: rule,
  monthly: rule,
  yearly: rule,
  within: duration,
  withinHourly: duration,
  withinDaily: duration,
  withinWeekly: duration,
  withinMonthly: duration,
  withinYearly: duration,
  tags: z.array(text(100).min(1)).max(50).optional(),
})
export type Retention = z.infer<typeof Retention>

/** At most six digits: 2562048h is more than restic can count, and turns into a rule that keeps nothing. */
const durationShape = /^(?=.)(?:\d{1,6}y)?(?:\d{1,6}m)?(?:\d{1,6}d)?(?:\d{1,6}h)?$/

/** Whether a duration is one, and longer than nothing. */
const isPositiveDuration = (value: string) => durationShape.test(value) && /[1-9]/.test(value)

/** Why a policy must not run, as a stable code and a sentence; undefined when it keeps something for certain. */
export function complaintAboutRetention(
  retention: Retention | undefined,
): { code: 'missing_retention' | 'unsafe_retention'; message: string } | undefined {
  const unsafe = (message: string) => ({ code: 'unsafe_retention' as const, message })
  const policy = retention ?? {}
  for (const name of countRules) {
    if ((policy[name] ?? 0) < 0)
      return unsafe(
        `${name} is ${policy[name]}. An old restic would remove every snapshot for that. Use 1 or more.`,
      )
  }
  for (const name of durationRules) {
    const value = policy[name]
    if (value !== undefined && !isPositiveDuration(value))
      return unsafe(
        `${name} is "${value}". A duration is written like 30d or 1y6m, is longer than nothing, and has numbers of at most six digits.`,
      )
  }
  const tags = policy.tags ?? []
  if (tags.some(tag => tag.includes(','))) return unsafe('A tag must not contain a comma.')
  if (countRules.some(name => (policy[name] ?? 0) > 0)) return undefined
  if (durationRules.some(name => policy[name] !== undefined)) return undefined
  if (tags.length > 0)
    return unsafe(
      'Only tags are kept. When no snapshot carries one, everything would go. Add a number to keep.',
    )
  return {
    code: 'missing_retention',
    message: 'Nothing says what to keep. Give at least one rule, such as 7 daily.',
  }
}

/** One snapshot in a preview: why it stays, or that it goes. */
export const ForgetPreviewSnapshot = z.object({
  shortId: text(8),
  time: text(40),
  paths: z.array(text(4_096)).max(20),
  reasons: z.array(text(200)).max(20), // empty: it goes
})

/** What a `forget` did or would do, for each target: in the `stats` of its job under `groups`. At most 2,000 snapshots are listed, counts are whole. */
export const ForgetPreview = z.object({
  dryRun: z.boolean(),
  groups: z
    .array(
      z.object({
        hostId: text(60),
        scheduleId: text(60),
        keepCount: z.int().min(0),
        removeCount: z.int().min(0),
        keep: z.array(ForgetPreviewSnapshot).max(2_000),
        remove: z.array(ForgetPreviewSnapshot).max(2_000),
      }),
    )
    .max(1_000),
})
export type ForgetPreview = z.infer<typeof ForgetPreview>
