// Promises of how retention is told.
import { complaintAboutRetention } from '@restic-manager/contract/retention'
import { expect, test } from 'vitest'
import {
  durationInWords,
  keepPresets,
  presetOf,
  retentionInShort,
  retentionInWords,
  tidyRetention,
  usualRetention,
} from './retention-words.ts'

test('every preset may run, and is recognised as itself', () => {
  for (const [name, { counted, within }] of Object.entries(keepPresets)) {
    expect([complaintAboutRetention(counted), complaintAboutRetention(within)]).toEqual([
      undefined,
      undefined,
    ])
    expect([presetOf(counted), presetOf({ ...within, tags: [], last: 0 })]).toEqual([name, name])
  }
  expect(presetOf({ daily: 7 })).toBeUndefined()
})

test('append-only storage begins with rules by age', () => {
  expect(usualRetention(false)).toEqual({ daily: 7, weekly: 4, monthly: 12 })
  expect(usualRetention(true)).toEqual({ withinDaily: '7d', withinWeekly: '1m', withinMonthly: '1y' })
})

test('a policy is told as one sentence', () => {
  expect(retentionInWords({ daily: 7, weekly: 4, monthly: 12 })).toBe(
    'Keeps the newest of each of the last 7 days, 4 weeks and 12 months that have one.',
  )
  expect(retentionInWords({ last: 3, within: '1y6m', tags: ['gold', 'audit'] })).toBe(
    'Keeps the newest 3, everything from the last 1 year and 6 months and everything tagged gold or audit.',
  )
  expect(retentionInWords({ withinDaily: '7d', withinWeekly: '1m' })).toBe(
    'Keeps one a day from the last 7 days and one a week from the last 1 month.',
  )
  expect(retentionInWords({ last: 0, within: '', tags: [] })).toBeUndefined()
})

test('a policy is told in short', () => {
  expect(retentionInShort({ daily: 7, weekly: 4, monthly: 12 })).toBe('7 daily, 4 weekly and 12 monthly')
  expect(retentionInShort({ within: '30d', withinDaily: '1y' })).toBe('all for 30 days and daily for 1 year')
  expect(retentionInShort({})).toBe('nothing yet')
})

test('what cannot be read is shown as it is', () => {
  expect(['30d', '1y6m', '1h', 'soon', '3w'].map(durationInWords)).toEqual([
    '30 days',
    '1 year and 6 months',
    '1 hour',
    'soon',
    '3w',
  ])
})

test('rules that say nothing are left out, negative ones are not', () => {
  expect(tidyRetention({ last: -1, daily: 0, within: '', tags: [] })).toEqual({ last: -1 })
})
