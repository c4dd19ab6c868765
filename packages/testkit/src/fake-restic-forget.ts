// Which snapshots the fake restic's `forget` keeps, by the same rules as the real one, and how it says so.
import { flagValues } from './fake-restic-script.ts'
import type { FakeSnapshot } from './fake-restic-ledger.ts'

export type ForgetGroup = {
  tags: string[] | null
  host: string
  paths: string[] | null
  keep: FakeSnapshot[] | null
  remove: FakeSnapshot[] | null
  reasons: { snapshot: FakeSnapshot; matches: string[] }[] | null
}

/** Buckets by calendar, in UTC: of each the newest snapshot counts. */
const periods: Record<string, (snapshot: FakeSnapshot) => string> = {
  last: ({ id }) => id,
  hourly: ({ time }) => time.slice(0, 13),
  daily: ({ time }) => time.slice(0, 10),
  weekly: ({ time }) => weekOf(time),
  monthly: ({ time }) => time.slice(0, 7),
  yearly: ({ time }) => time.slice(0, 4),
}

/** Whether the arguments name any rule at all. */
export function hasPolicy(argv: readonly string[]): boolean {
  return argv.some(word => word.startsWith('--keep-'))
}

/** What `forget` makes of these snapshots, one group for each host, or host and folders. */
export function planForget(snapshots: readonly FakeSnapshot[], argv: readonly string[]): ForgetGroup[] {
  const by = (flagValues(argv, '--group-by')[0] ?? 'host,paths').split(',')
  const keyOf = ({ hostname, paths }: FakeSnapshot) =>
    JSON.stringify([by.includes('host') && hostname, by.includes('paths') && paths])
  const groups = Map.groupBy(snapshots, keyOf)
  return [...groups.values()].map(members => {
    const newestFirst = members.toSorted((one, other) => (one.time < other.time ? 1 : -1))
    const [newest] = newestFirst
    const reasons = reasonsToKeep(newestFirst, argv)
    const keep = newestFirst.filter(snapshot => reasons.has(snapshot))
    const remove = newestFirst.filter(snapshot => !reasons.has(snapshot))
    return {
      tags: null,
      host: by.includes('host') ? (newest?.hostname ?? '') : '',
      paths: by.includes('paths') ? (newest?.paths ?? []) : null,
      keep: orNull(keep),
      remove: orNull(remove),
      reasons: orNull(keep.map(snapshot => ({ snapshot, matches: reasons.get(snapshot) ?? [] }))),
    }
  })
}

/** restic writes an empty list as null. */
const orNull = <T>(list: T[]): T[] | null => (list.length === 0 ? null : list)

function reasonsToKeep(
  newestFirst: readonly FakeSnapshot[],
  argv: readonly string[],
): Map<FakeSnapshot, string[]> {
  const reasons = new Map<FakeSnapshot, string[]>()
  const keep = (snapshot: FakeSnapshot, why: string) =>
    reasons.set(snapshot, [...(reasons.get(snapshot) ?? []), why])
  const tags = flagValues(argv, '--keep-tag')
  for (const snapshot of newestFirst)
    if (tags.some(tag => tag.split(',').every(each => snapshot.tags?.includes(each))))
      keep(snapshot, `has tags [${tags.join(' ')}]`)
  const newest = Date.parse(newestFirst[0]?.time ?? '')
  const isWithin = (snapshot: FakeSnapshot, duration: string) =>
    Date.parse(snapshot.time) > newest - lengthOf(duration)
  for (const duration of flagValues(argv, '--keep-within'))
    for (const snapshot of newestFirst) if (isWithin(snapshot, duration)) keep(snapshot, `within ${duration}`)
  for (const [name, bucketOf] of Object.entries(periods)) {
    const count = Number(flagValues(argv, `--keep-${name}`)[0] ?? 0)
    const [within] = flagValues(argv, `--keep-within-${name}`)
    const firsts = newestFirst.filter(
      (snapshot, at) => at === 0 || bucketOf(snapshot) !== bucketOf(newestFirst[at - 1] ?? snapshot),
    )
    for (const snapshot of firsts.slice(0, count)) keep(snapshot, `${name} snapshot`)
    if (within !== undefined)
      for (const snapshot of firsts)
        if (isWithin(snapshot, within)) keep(snapshot, `${name} within ${within}`)
  }
  return reasons
}

/** A duration such as `1y6m3d12h` in milliseconds, with months of 30 days. */
function lengthOf(duration: string): number {
  const hours: Record<string, number> = { y: 365 * 24, m: 30 * 24, d: 24, h: 1 }
  const parts = [...duration.matchAll(/(\d+)([ymdh])/g)]
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (hours[unit ?? ''] ?? 0), 0) * 3_600_000
}

/** The Monday of a snapshot's week. */
function weekOf(time: string): string {
  const day = new Date(time)
  day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7))
  return day.toISOString().slice(0, 10)
}
