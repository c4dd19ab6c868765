// How far back a list of jobs goes, as it stands in the address.

const hourMs = 3_600_000

export const jobSpans = {
  '24h': { word: '24 hours', ms: 24 * hourMs },
  '7d': { word: '7 days', ms: 7 * 24 * hourMs },
  '30d': { word: '30 days', ms: 30 * 24 * hourMs },
} as const
export type JobSpan = keyof typeof jobSpans

/** The instant a span begins at, seen from now; undefined: as long as there are jobs. */
export const startOf = (span: JobSpan | undefined): Date | undefined =>
  span === undefined ? undefined : new Date(Date.now() - jobSpans[span].ms)
