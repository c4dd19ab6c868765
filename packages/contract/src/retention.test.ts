// Which retention policies may run: none that could let go of everything.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { countRules, durationRules } from './retention-rules.ts'
import { complaintAboutRetention, Retention } from './retention.ts'

describe('a retention that says nothing', () => {
  test.each([
    ['no policy', undefined],
    ['no rule', {}],
    ['only zeros', { last: 0, daily: 0, yearly: 0 }],
    ['no tags', { tags: [] }],
  ])('is refused: %s', (_, policy) => {
    expect(complaintAboutRetention(policy)).toMatchObject({ code: 'missing_retention' })
  })
})

describe('a retention that would let go of everything', () => {
  test.each(countRules)('is refused: %s below zero, alone and beside a good rule', rule => {
    expect(complaintAboutRetention({ [rule]: -1 })).toMatchObject({ code: 'unsafe_retention' })
    expect(complaintAboutRetention({ within: '30d', [rule]: -1 })).toMatchObject({ code: 'unsafe_retention' })
  })

  test.each(durationRules)('is refused: %s of nothing, or that is no duration', rule => {
    for (const value of ['', '0d', '0y0m0d0h', '-1d', 'bogus', '1w', '1.5d', ' 1d', 'd', '1d1y'])
      expect(complaintAboutRetention({ daily: 7, [rule]: value })).toMatchObject({ code: 'unsafe_retention' })
  })

  test.each(durationRules)('is refused: %s so long that restic would count past its end', rule => {
    for (const value of ['2562048h', '300000000000y', '9223372036854775807d', '1y1000000m'])
      expect(complaintAboutRetention({ last: 1, [rule]: value })).toMatchObject({ code: 'unsafe_retention' })
    expect(complaintAboutRetention({ last: 1, [rule]: '999999y999999m999999d999999h' })).toBeUndefined()
  })

  test('is refused: tags only, and a tag that restic would split', () => {
    expect(complaintAboutRetention({ tags: ['keep'] })).toMatchObject({ code: 'unsafe_retention' })
    expect(complaintAboutRetention({ tags: ['keep'], last: 0 })).toMatchObject({ code: 'unsafe_retention' })
    expect(complaintAboutRetention({ tags: ['a,b'], last: 1 })).toMatchObject({ code: 'unsafe_retention' })
  })

  test('does not even parse: rules nobody knows, fractions, numbers beyond counting', () => {
    for (const policy of [
      { 'keep-last': 3 },
      { last: 1.5 },
      { last: 1e9 },
      { last: 'unlimited' },
      { prune: true },
    ])
      expect(Retention.safeParse(policy).success).toBe(false)
  })
})

describe('a retention that keeps something', () => {
  test.each([
    [{ daily: 7, weekly: 4, monthly: 12 }],
    [{ last: 1 }],
    [{ within: '1y6m' }],
    [{ withinHourly: '2d', withinDaily: '7d', withinWeekly: '1m', withinMonthly: '1y', withinYearly: '10y' }],
    [{ yearly: 3, tags: ['keep', 'before upgrade'] }],
    [{ within: '0y1h' }],
  ])('%j is accepted', policy => {
    expect(complaintAboutRetention(policy)).toBeUndefined()
  })
})

const durations = fc.oneof(
  fc.constantFrom('', '0d', '0y0m', '-3d', 'bogus', '1w'),
  fc
    .tuple(
      ...['y', 'm', 'd', 'h'].map(unit =>
        fc.option(fc.nat(99), { nil: undefined }).map(n => (n === undefined ? '' : `${n}${unit}`)),
      ),
    )
    .map(parts => parts.join('')),
)
const policies: fc.Arbitrary<Retention> = fc.record(
  {
    ...Object.fromEntries(countRules.map(rule => [rule, fc.integer({ min: -2, max: 40 })])),
    ...Object.fromEntries(durationRules.map(rule => [rule, durations])),
    tags: fc.array(fc.constantFrom('keep', 'release', 'a,b'), { maxLength: 2 }),
  },
  { requiredKeys: [] },
)

test('what is accepted always has a rule that keeps at least one snapshot, and no negative one', () => {
  fc.assert(
    fc.property(policies, policy => {
      const counts = countRules.map(rule => policy[rule] ?? 0)
      const spans = durationRules.flatMap(rule => policy[rule] ?? [])
      const isKept =
        counts.some(count => count > 0) ||
        spans.some(span => (span.match(/\d+/g) ?? []).some(n => Number(n) > 0))
      if (complaintAboutRetention(policy) === undefined) {
        expect(isKept).toBe(true)
        expect(counts.every(count => count >= 0)).toBe(true)
      } else if (!isKept) expect(complaintAboutRetention(policy)?.message).toMatch(/\.$/)
    }),
    { numRuns: 2_000 },
  )
})

test('a policy crosses the wire unchanged, rule for rule', () => {
  fc.assert(
    fc.property(policies, policy => {
      expect(Retention.parse(JSON.parse(JSON.stringify(policy)))).toEqual(policy)
    }),
  )
})
