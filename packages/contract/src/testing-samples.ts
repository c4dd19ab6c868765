// What the examples of messages share, for the test that looks at each field of each message.
import type { z } from 'zod'

export const id = (n: number) => `0192b7e4-0000-7000-8000-${String(n).padStart(12, '0')}`
export const at = '2026-11-23T07:12:56.534Z'
export const slot = '2026-11-23T02:30:00.000Z'

export const rest = { lane: 'rest', seq: 4, occurredAt: at }
export const first = { lane: 'first', seq: 3, occurredAt: at }
export const header = {
  jobId: id(1),
  kind: 'backup',
  repositoryId: id(2),
  scheduleId: id(3),
  scheduledAt: slot,
  retryOf: id(4),
}
export const headerOptional = ['scheduleId', 'scheduledAt', 'retryOf']
export const access = {
  url: 'rest:https://backup.example.com/host-1/',
  password: 'correct horse',
  username: 'noor',
  credential: 'battery staple',
  environment: { RESTIC_CACERT: '/etc/ssl/backup.pem' },
}
export const hook = { name: 'dump', timeoutMinutes: 5, onFailure: 'stop' }
export const options = {
  iexcludes: ['*.TMP'],
  excludeIfPresent: ['.nobackup'],
  oneFileSystem: true,
  excludeLargerThan: 1_000_000,
  compression: 'max',
  uploadKibps: 500,
  downloadKibps: 500,
  readConcurrency: 4,
  nice: 10,
  ionice: 'idle',
}
export const retention = {
  last: 1,
  hourly: 24,
  daily: 7,
  weekly: 4,
  monthly: 12,
  yearly: 3,
  within: '2d',
  withinHourly: '2d',
  withinDaily: '7d',
  withinWeekly: '1m',
  withinMonthly: '1y',
  withinYearly: '10y',
  tags: ['keep'],
}
export const under = (path: string, names: object) => [
  path,
  ...Object.keys(names).map(name => `${path}.${name}`),
]

export type Sample = {
  name: string
  schema: z.ZodType
  sample: unknown
  /** Fields that may be left out. All others are required. */
  optional?: string[]
  /** Fields whose inside has names of its own: an environment, restic's summary. */
  free?: string[]
  /** Fields that this sample cannot have beside those it has. */
  absent?: string[]
}
