// The names of restic's keep rules, apart from their shapes: a page that only says them needs no schemas.

/** So many of the newest, one each. */
export const countRules = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const

/** All, or one each, up to an age. */
export const durationRules = [
  'within',
  'withinHourly',
  'withinDaily',
  'withinWeekly',
  'withinMonthly',
  'withinYearly',
] as const
