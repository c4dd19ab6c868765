// When croner says a schedule is due, and what it accepts. Both ends count slots with it, so none of this may drift.
import { Cron } from 'croner'
import { execa } from 'execa'
import { expect, test } from 'vitest'

const cron = (pattern: string, timezone = 'UTC') =>
  new Cron(pattern, { mode: '5-part', timezone, paused: true })
const runs = (pattern: string, timezone: string, after: string, count: number) =>
  cron(pattern, timezone)
    .nextRuns(count, new Date(after))
    .map(run => run.toISOString().replace(':00.000Z', 'Z'))

test('five-part mode refuses six fields, which would mean every second', () => {
  expect(() => cron('* * * * * *')).toThrow("mode '5-part' requires exactly 5 parts")
  expect(
    new Cron('* * * * * *', { paused: true }).nextRuns(2, '2026-11-23T00:00:00Z')[0]?.getUTCSeconds(),
  ).toBe(1)
})

test.each([
  '',
  '* * * *',
  '60 * * * *',
  '0 24 * * *',
  '0 0 0 * *',
  '0 0 * 13 *',
  '0 0 * * 8',
  '*/0 * * * *',
  '5-1 * * * *',
  'H * * * *',
  '@reboot',
])('five-part mode refuses "%s"', pattern => {
  expect(() => cron(pattern)).toThrow('CronPattern')
})

test('a date that never comes is accepted and has no next run', () => {
  expect(cron('0 0 30 2 *').nextRun()).toBe(null)
  expect(cron('0 0 30 2 *').nextRuns(3)).toEqual([])
})

test('a leap day is found years ahead', () => {
  expect(runs('0 0 29 2 *', 'UTC', '2026-11-23T00:00:00Z', 2)).toEqual([
    '2028-02-29T00:00Z',
    '2032-02-29T00:00Z',
  ])
})

test('five-part mode also accepts nicknames and a single date and time, which is no cron', () => {
  expect(runs('@daily', 'UTC', '2026-11-23T00:00:00Z', 1)).toEqual(['2026-11-24T00:00Z'])
  expect(runs('2026-11-30T10:00:00', 'UTC', '2026-11-23T00:00:00Z', 2)).toEqual(['2026-11-30T10:00Z'])
})

test('an unknown time zone is noticed at the first run asked for, not when the pattern is made', () => {
  const unknown = cron('* * * * *', 'Mars/Olympus')
  expect(() => unknown.nextRun()).toThrow('Invalid time zone')
})

test('day of month and day of week together mean either', () => {
  expect(runs('0 0 13 * 5', 'UTC', '2026-12-01T00:00:00Z', 3)).toEqual([
    '2026-12-04T00:00Z',
    '2026-12-11T00:00Z',
    '2026-12-13T00:00Z',
  ])
})

// Europe/Berlin skips 02:00–03:00 on 2026-03-29 and has it twice on 2026-10-25.
test.each([
  [
    'a daily slot in the gap runs when the gap ends',
    '30 2 * * *',
    'Europe/Berlin',
    '2026-03-28T12:00:00Z',
    ['2026-03-29T01:00Z', '2026-03-30T00:30Z'],
  ],
  [
    'a daily slot at the end of the gap runs once',
    '0 3 * * *',
    'Europe/Berlin',
    '2026-03-28T12:00:00Z',
    ['2026-03-29T01:00Z', '2026-03-30T01:00Z'],
  ],
  [
    'a daily slot in the overlap runs the first time only',
    '30 2 * * *',
    'Europe/Berlin',
    '2026-10-24T12:00:00Z',
    ['2026-10-25T00:30Z', '2026-10-26T01:30Z'],
  ],
  [
    'an hourly slot runs every real hour over the gap',
    '0 * * * *',
    'Europe/Berlin',
    '2026-03-29T00:30:00Z',
    ['2026-03-29T01:00Z', '2026-03-29T02:00Z'],
  ],
  [
    'an hourly slot runs every real hour over the overlap',
    '0 * * * *',
    'Europe/Berlin',
    '2026-10-24T23:30:00Z',
    ['2026-10-25T00:00Z', '2026-10-25T01:00Z', '2026-10-25T02:00Z'],
  ],
  [
    'every second hour runs twice at the repeated hour',
    '0 */2 * * *',
    'Europe/Berlin',
    '2026-10-24T23:30:00Z',
    ['2026-10-25T00:00Z', '2026-10-25T01:00Z', '2026-10-25T03:00Z'],
  ],
  [
    'every second hour leaves the skipped hour out',
    '0 */2 * * *',
    'Europe/Berlin',
    '2026-03-28T23:30:00Z',
    ['2026-03-29T02:00Z', '2026-03-29T04:00Z'],
  ],
  [
    'a gap of half an hour moves a slot to its end',
    '15 2 * * *',
    'Australia/Lord_Howe',
    '2026-10-03T00:00:00Z',
    ['2026-10-03T15:30Z', '2026-10-04T15:15Z'],
  ],
  [
    'an overlap of half an hour runs a slot once',
    '45 1 * * *',
    'Australia/Lord_Howe',
    '2026-04-04T00:00:00Z',
    ['2026-04-04T14:45Z', '2026-04-05T15:15Z'],
  ],
  [
    'a gap at midnight moves a slot to 01:00',
    '30 0 * * *',
    'Africa/Cairo',
    '2026-04-23T00:00:00Z',
    ['2026-04-23T22:00Z', '2026-04-24T21:30Z'],
  ],
])('%s', (_, pattern, timezone, after, expected) => {
  expect(runs(pattern, timezone, after, expected.length)).toEqual(expected)
})

test('match() says yes to the second pass of an overlap although no run is planned there', () => {
  expect(cron('30 2 * * *', 'Europe/Berlin').match(new Date('2026-10-25T01:30:00Z'))).toBe(true)
})

test('a callback that throws ends the process unless catch is given', async () => {
  const program = (options: object) =>
    execa(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        `import { Cron } from 'croner'
         process.on('exit', code => console.log('exit', code))
         const job = new Cron('* * * * * *', { maxRuns: 1, ...${JSON.stringify(options)} }, () => { throw new Error('broken') })`,
      ],
      { cwd: import.meta.dirname, reject: false },
    )
  const [bare, caught] = await Promise.all([program({}), program({ catch: true })])
  expect(bare).toMatchObject({ exitCode: 1, stdout: 'exit 1', stderr: expect.stringContaining('broken') })
  expect(caught).toMatchObject({ exitCode: 0, stdout: 'exit 0' })
})
