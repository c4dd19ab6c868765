// The one sentence about the fleet.
import type { FleetStanding, Protection } from '@restic-manager/contract/overview'
import { expect, test } from 'vitest'
import { fleetCauses, fleetHeadline, fleetParts, type FleetPhrase } from './fleet-words.ts'

const now = Date.parse('2026-10-23T09:42:00Z')
const none = Object.fromEntries(
  [
    'protected',
    'incomplete',
    'failing',
    'silent',
    'missed',
    'quarantined',
    'never',
    'paused',
    'waiting',
    'unplanned',
  ].map(key => [key, 0]),
) as Record<Protection, number>

function standing(
  counts: Partial<Record<Protection, number>>,
  more: Partial<FleetStanding> = {},
): FleetStanding {
  const all = { ...none, ...counts }
  return {
    total: Object.values(all).reduce((sum, count) => sum + count, 0),
    counts: all,
    causes: [],
    planned: 0,
    withinObjective: 0,
    retentionTroubled: 0,
    ...more,
  }
}
const said = (phrase: FleetPhrase) =>
  phrase.map(part => (typeof part === 'string' ? part : part.bad)).join('')

test('the sentence says what is protected, each cause that is not, and what was paused', () => {
  const fleet = standing(
    { protected: 32, incomplete: 2, failing: 2, silent: 1, missed: 1, quarantined: 1, paused: 1 },
    {
      causes: [
        { cause: 'failing', count: 2, since: null, only: null },
        {
          cause: 'silent',
          count: 1,
          since: new Date('2026-10-20T21:13:00Z'),
          only: { id: 'h', name: 'edge' },
        },
        { cause: 'missed', count: 1, since: null, only: null },
        { cause: 'quarantined', count: 1, since: null, only: null },
      ],
      retentionTroubled: 1,
    },
  )
  expect(fleetHeadline(fleet)).toBe('34 of 40 hosts are protected.')
  expect(said(fleetCauses(fleet, now, 'UTC'))).toBe(
    '2 hosts fail their backups, 1 is silent since Tuesday, 1 was asleep at its slots, 1 is quarantined, and 1 is paused. Retention is in trouble on 1 repository.',
  )
  expect(fleetParts(fleet)).toEqual([
    { look: 'good', count: 32, word: 'protected' },
    { look: 'warn', count: 2, word: 'protected, incomplete' },
    { look: 'bad', count: 5, word: 'not protected' },
    { look: 'idle', count: 1, word: 'paused' },
  ])
})

test('success is silent', () => {
  expect(fleetHeadline(standing({ protected: 3 }))).toBe('All 3 hosts are protected.')
  expect(fleetCauses(standing({ protected: 3 }), now)).toEqual([])
})

test('a single cause that is one host leads to that host', () => {
  const fleet = standing(
    { protected: 1, never: 1 },
    { causes: [{ cause: 'never', count: 1, since: null, only: { id: 'h1', name: 'atlas' } }] },
  )
  expect(fleetCauses(fleet, now)).toEqual([{ bad: '1 host has no backup yet', hostId: 'h1' }, '.'])
  expect(fleetHeadline(fleet)).toBe('1 of 2 hosts is protected.')
})

test('an empty fleet and a fleet of one have words of their own', () => {
  expect(fleetHeadline(standing({}))).toBe('No host yet.')
  expect(fleetHeadline(standing({ unplanned: 1 }))).toBe('Your host is not protected yet.')
  expect(said(fleetCauses(standing({ unplanned: 1 }), now))).toBe('1 has no backup planned.')
})
