// How much of the disk the records may take while nobody takes them: no fact is dropped, so less is said and less begun.
import { forgetToldReports, pruneFacts } from './facts.ts'
import type { State } from './state.ts'

export type SpoolQuota = {
  /** From here on the ends of jobs are told in short. */
  shortBytes: number
  /** From here on this host begins nothing by itself. */
  mostBytes: number
}

/**
 * An end with all its warnings takes up to half a mebibyte. Told in short a run takes less than 2 KiB with everything
 * about it: 65,000 of them fit between the two, a year and a half of five schedules that run every hour.
 */
export const spoolQuota: SpoolQuota = { shortBytes: 128 * 1024 * 1024, mostBytes: 256 * 1024 * 1024 }

/**
 * How much room is left. Where it gets short, facts the server has committed go first, lists of snapshots last: they were
 * kept only for a server that is restored from an older dump.
 */
export function spoolRoom(state: State, quota: SpoolQuota = spoolQuota): 'plenty' | 'short' | 'none' {
  if (state.usedBytes() < quota.shortBytes) return 'plenty'
  pruneFacts(state, 0)
  if (state.usedBytes() >= quota.mostBytes) forgetToldReports(state)
  const used = state.usedBytes()
  if (used < quota.shortBytes) return 'plenty'
  return used < quota.mostBytes ? 'short' : 'none'
}
