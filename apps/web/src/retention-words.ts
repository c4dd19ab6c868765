// Retention in words, and the policies a form begins with.
import type { Retention } from '@restic-manager/contract/retention'
import { countRules, durationRules } from '@restic-manager/contract/retention-rules'
import { countOf } from './format.ts'

/** Policies by how much they keep. `counted`: by number of snapshots. `within`: by age, for storage that only appends. */
export const keepPresets = {
  light: {
    counted: { daily: 7, weekly: 2, monthly: 3 },
    within: { withinDaily: '7d', withinWeekly: '14d', withinMonthly: '3m' },
  },
  usual: {
    counted: { daily: 7, weekly: 4, monthly: 12 },
    within: { withinDaily: '7d', withinWeekly: '1m', withinMonthly: '1y' },
  },
  long: {
    counted: { daily: 30, weekly: 12, monthly: 36, yearly: 5 },
    within: { withinDaily: '30d', withinWeekly: '3m', withinMonthly: '3y', withinYearly: '5y' },
  },
} as const satisfies Record<string, Record<'counted' | 'within', Retention>>
export type KeepPreset = keyof typeof keepPresets

/** What a new policy begins with. By age where a host may only append: forged snapshots cannot push true ones out. */
export const usualRetention = (appendOnly: boolean): Retention =>
  keepPresets.usual[appendOnly ? 'within' : 'counted']

/** A policy without what says nothing. */
export function tidyRetention(retention: Retention): Retention {
  const said = Object.entries(retention).filter(
    ([, value]) =>
      value !== undefined && value !== 0 && value !== '' && !(Array.isArray(value) && value.length === 0),
  )
  return Object.fromEntries(said)
}

const rules = [...countRules, ...durationRules, 'tags'] as const

/** The preset a policy is, whichever of its two ways; undefined for one of somebody's own. */
export function presetOf(retention: Retention): KeepPreset | undefined {
  const tidy = tidyRetention(retention)
  const same = (other: Retention) => rules.every(rule => String(tidy[rule]) === String(other[rule]))
  return (Object.keys(keepPresets) as KeepPreset[]).find(
    preset => same(keepPresets[preset].counted) || same(keepPresets[preset].within),
  )
}

const listOf = (words: readonly string[], last = 'and'): string =>
  words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} ${last} ${words.at(-1)}`

const units = { y: 'year', m: 'month', d: 'day', h: 'hour' } as const

/** restic's duration in words: "1y6m" is "1 year and 6 months". As it is where it cannot be read. */
export function durationInWords(duration: string): string {
  const parts = [...duration.matchAll(/(\d+)([ymdh])/g)]
  if (parts.length === 0 || parts.map(part => part[0]).join('') !== duration) return duration
  return listOf(parts.map(([, count, unit]) => countOf(Number(count), units[unit as keyof typeof units])))
}

const periods = { hourly: 'hour', daily: 'day', weekly: 'week', monthly: 'month', yearly: 'year' } as const
const withins = {
  withinHourly: 'one an hour',
  withinDaily: 'one a day',
  withinWeekly: 'one a week',
  withinMonthly: 'one a month',
  withinYearly: 'one a year',
} as const

const keysOf = <T extends object>(record: T) => Object.keys(record) as (keyof T)[]

/** What a policy keeps, as one sentence; undefined while it says nothing. */
export function retentionInWords(retention: Retention): string | undefined {
  const keep = tidyRetention(retention)
  const parts: string[] = []
  if (keep.last !== undefined) parts.push(keep.last === 1 ? 'the newest' : `the newest ${keep.last}`)
  const counted = keysOf(periods).filter(rule => keep[rule] !== undefined)
  if (counted.length > 0)
    parts.push(
      `the newest of each of the last ${listOf(counted.map(rule => countOf(keep[rule] ?? 0, periods[rule])))} that have one`,
    )
  if (keep.within !== undefined) parts.push(`everything from the last ${durationInWords(keep.within)}`)
  for (const rule of keysOf(withins)) {
    const value = keep[rule]
    if (value !== undefined) parts.push(`${withins[rule]} from the last ${durationInWords(value)}`)
  }
  if (keep.tags !== undefined) parts.push(`everything tagged ${listOf(keep.tags, 'or')}`)
  return parts.length === 0 ? undefined : `Keeps ${listOf(parts)}.`
}

const newestInShort = (count: number) => (count === 1 ? 'the newest' : `the newest ${count}`)

/** A policy in a few words, for a row: "7 daily, 4 weekly and 12 monthly". */
export function retentionInShort(retention: Retention): string {
  const keep = tidyRetention(retention)
  const parts = countRules.flatMap(rule => {
    const count = keep[rule]
    return count === undefined ? [] : [rule === 'last' ? newestInShort(count) : `${count} ${rule}`]
  })
  for (const rule of durationRules) {
    const value = keep[rule]
    const word = rule === 'within' ? 'all' : rule.slice('within'.length).toLowerCase()
    if (value !== undefined) parts.push(`${word} for ${durationInWords(value)}`)
  }
  if (keep.tags !== undefined) parts.push(`tagged ${listOf(keep.tags, 'or')}`)
  return parts.length === 0 ? 'nothing yet' : listOf(parts)
}
