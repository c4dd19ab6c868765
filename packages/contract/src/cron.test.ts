// When schedules are due: what is accepted, and that both ends count the same slots however they ask.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { complaintAboutTimetable, isTimeZone, nextSlots, shortestInterval, slotsBetween } from './cron.ts'

describe('a timetable', () => {
  test.each([
    ['six fields, which would mean seconds', '0 30 2 * * *'],
    ['four fields', '30 2 * *'],
    ['nothing', ''],
    ['a nickname', '@daily'],
    ['a single date', '2026-11-30T10:00:00'],
    ['a minute that is none', '60 * * * *'],
    ['a step of nothing', '*/0 * * * *'],
    ['words', 'every day at two o’clock'],
    ['a day that never comes', '0 0 30 2 *'],
    ['a line break and another line', '30 2 * * *\n* * * * *'],
  ])('is refused with %s', (_, cron) => {
    expect(complaintAboutTimetable({ cron, timeZone: 'UTC' })).toMatchObject({ code: 'invalid_cron' })
  })

  test.each(['', 'Mars/Olympus', '+01:00', 'Europe/Berlin; rm', '2026'])(
    'is refused in the zone "%s"',
    timeZone => {
      expect(complaintAboutTimetable({ cron: '30 2 * * *', timeZone })).toMatchObject({
        code: 'invalid_time_zone',
      })
      expect(isTimeZone(timeZone)).toBe(false)
    },
  )

  test.each([
    '30 2 * * *',
    '*/5 * * * *',
    '0 0 29 2 *',
    '0 12 1-7 * MON',
    '15,45 8-18/2 * JAN-JUN 1-5',
    ' 0 3 * * 7 ',
  ])('%s is accepted', cron => {
    expect(complaintAboutTimetable({ cron, timeZone: 'Europe/Berlin' })).toBeUndefined()
  })
})

describe('the shortest time between two slots', () => {
  const minute = 60_000
  test.each([
    ['*/5 * * * *', 'UTC', 5 * minute],
    ['0 3,4 * * *', 'UTC', 60 * minute],
    ['50 23 * * *', 'UTC', 24 * 60 * minute],
    ['0 0 29 2 *', 'UTC', (3 * 365 + 366) * 24 * 60 * minute],
    // A day of 23 hours: the clocks of Berlin go forward in it.
    ['0 12 * * *', 'Europe/Berlin', 23 * 60 * minute],
  ])('of %s in %s is found', (cron, timeZone, expected) => {
    expect(shortestInterval({ cron, timeZone })).toBe(expected)
  })
})

const field = (least: number, most: number) =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constant('*') },
    fc.integer({ min: least, max: most }).map(String),
    fc.integer({ min: 2, max: Math.max(2, Math.floor(most / 2)) }).map(step => `*/${step}`),
    fc
      .tuple(fc.integer({ min: least, max: most }), fc.integer({ min: least, max: most }))
      .map(([one, other]) => `${Math.min(one, other)}-${Math.max(one, other)}`),
    fc
      .uniqueArray(fc.integer({ min: least, max: most }), { minLength: 2, maxLength: 3 })
      .map(values => values.toSorted((one, other) => one - other).join(',')),
  )

const timetables = fc
  .record({
    cron: fc
      .tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6))
      .map(fields => fields.join(' ')),
    timeZone: fc.constantFrom(
      'UTC',
      'Europe/Berlin',
      'America/New_York',
      'Australia/Lord_Howe',
      'Africa/Cairo',
    ),
  })
  .filter(timetable => complaintAboutTimetable(timetable) === undefined)

const instants = fc.date({
  min: new Date('2026-01-01T00:00:00Z'),
  max: new Date('2028-01-01T00:00:00Z'),
  noInvalidDate: true,
})

describe('counting slots', () => {
  test('a preview shows the slots a host fires, in whatever pieces the host counts them', () => {
    const pieces = fc.array(fc.integer({ min: 1, max: 8 * 3_600_000 }), { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(timetables, instants, pieces, (timetable, from, lengths) => {
        const counted: Date[] = []
        let at = from
        for (const length of lengths) {
          const through = new Date(at.getTime() + length)
          counted.push(...slotsBetween(timetable, at, through))
          at = through
        }
        const preview = nextSlots(timetable, from, counted.length + 1)
        expect(counted).toEqual(preview.slice(0, counted.length))
        expect(preview.every((slot, index) => slot <= at || index === counted.length)).toBe(true)
      }),
      { numRuns: 40, interruptAfterTimeLimit: 10_000 },
    )
  })

  test('goes on after a slot with the next one, never the same and never one before it', () => {
    fc.assert(
      fc.property(timetables, instants, (timetable, from) => {
        let last = from
        for (const slot of nextSlots(timetable, from, 20)) {
          expect(slot.getTime()).toBeGreaterThan(last.getTime())
          expect(slot.getTime() % 60_000).toBe(0)
          expect(slotsBetween(timetable, last, slot)).toEqual([slot])
          last = slot
        }
      }),
      { numRuns: 25 },
    )
  })

  test('both ends of the span: a slot at its beginning is over, one at its end is in it', () => {
    const daily = { cron: '30 2 * * *', timeZone: 'UTC' }
    const first = new Date('2026-11-23T02:30:00Z')
    const second = new Date('2026-11-24T02:30:00Z')
    expect(slotsBetween(daily, first, second)).toEqual([second])
    expect(slotsBetween(daily, first, new Date(second.getTime() - 1))).toEqual([])
  })

  test('is bounded: years of minutes are counted in slices', () => {
    const minutely = { cron: '* * * * *', timeZone: 'UTC' }
    const from = new Date('2026-01-01T00:00:00Z')
    const slots = slotsBetween(minutely, from, new Date('2036-01-01T00:00:00Z'), 1_000)
    expect(slots).toHaveLength(1_000)
    expect(slots.at(-1)).toEqual(new Date(from.getTime() + 1_000 * 60_000))
  })
})
