// What keeping logs for so many days means: what there is, and what would go.
import type { SettingsView } from '@restic-manager/contract/settings'

type Sizes = SettingsView['logSizes']

/** Days and bytes of logs, and the first of those days. Days that were made ahead of time and hold nothing yet do not count. */
export type LogShare = { days: number; bytes: number; first: string | undefined }

const dayMs = 86_400_000
const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)

const shareOf = (sizes: Sizes): LogShare => ({
  days: sizes.length,
  bytes: sizes.reduce((sum, { bytes }) => sum + bytes, 0),
  first: sizes[0]?.day,
})

/** All logs up to today. Days are those of UTC. */
export const logsThere = (sizes: Sizes, now: number): LogShare =>
  shareOf(sizes.filter(({ day }) => day <= dayOf(now)))

/** What goes when logs are kept for `logDays` days from now on. */
export const logsThatGo = (sizes: Sizes, logDays: number, now: number): LogShare =>
  shareOf(sizes.filter(({ day }) => day < dayOf(now - logDays * dayMs)))
