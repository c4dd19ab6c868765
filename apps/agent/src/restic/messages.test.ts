// restic's lines, as both versions print them, become messages; what is no message stays text.
import { Instant } from '@restic-manager/contract/scalars'
import { readCapture, readTimeline } from '@restic-manager/testkit/captures'
import { describe, expect, test } from 'vitest'
import { asInstant, parseDocument, readLine, type Message } from './messages.ts'
import { makeRedactor } from './redact.ts'

const same = (text: string) => text
const read = (text: string) => readLine('stdout', text, same)

function messagesOf(version: '0.14.0' | '0.18.0', name: string): Message[] {
  const { stdout, stderr } = readCapture(version, name)
  return [...stdout.split('\n'), ...stderr.split('\n')].flatMap(line => read(line).message ?? [])
}

describe.each(['0.14.0', '0.18.0'] as const)('a backup of restic %s', version => {
  test('tells its progress with all counters, those left out as 0', () => {
    const moments = readTimeline(version, 'tl-backup-ok').flatMap(moment =>
      'data' in moment ? moment.data : '',
    )
    const statuses = moments
      .join('')
      .split('\n')
      .flatMap(line => read(line).message ?? [])
      .filter(message => message.type === 'status')
    expect(statuses.length).toBeGreaterThan(5)
    for (const { percentDone, totalBytes, bytesDone } of statuses) {
      expect(percentDone).toBeGreaterThanOrEqual(0)
      expect(percentDone).toBeLessThanOrEqual(1)
      expect(Number.isInteger(totalBytes) && Number.isInteger(bytesDone)).toBe(true)
    }
  })

  test('ends with a summary that is kept as it came', () => {
    const { stdout } = readCapture(version, 'backup-first')
    const line = stdout.split('\n').find(each => each.includes('"summary"')) ?? ''
    const message = read(line).message
    expect(message).toMatchObject({ type: 'summary', snapshotId: expect.stringMatching(/^[0-9a-f]{8,64}$/) })
    const { message_type: _, ...verbatim } = JSON.parse(line) as Record<string, unknown>
    expect(message).toHaveProperty('summary', verbatim)
  })

  test('names each file it could not read and why', () => {
    const errors = messagesOf(version, 'backup-unreadable').filter(message => message.type === 'error')
    expect(errors.length).toBeGreaterThan(0)
    for (const { item, during } of errors) {
      expect(item).toMatch(/^\//)
      expect(during).toMatch(/^(scan|archival)$/)
    }
    expect(errors.some(({ message }) => message.includes('permission denied'))).toBe(true)
  })
})

test('the end of the count is no progress', () => {
  expect(
    read('{"message_type":"status","action":"scan_finished","item":"","total_files":9}').message,
  ).toEqual({
    type: 'other',
  })
})

test.each([
  '',
  'plain words',
  '{"message_type":"status","percent_',
  '{}',
  '[1]',
  '{"message_type":7}',
  '{not json}',
])('what is no message stays a line of text: %j', text => {
  expect(read(text)).toEqual({ stream: 'stdout', payload: text })
})

test('messages nobody knows yet are kept as events', () => {
  expect(read('{"message_type":"news","x":1}')).toEqual({
    stream: 'event',
    payload: '{"message_type":"news","x":1}',
    message: { type: 'other' },
  })
})

test('secrets are masked in all free text of a message, while numbers and ids stay what they are', () => {
  const redact = makeRedactor(['12345', 'error', 'abcd'])
  const line = `{"message_type":"error","during":"archival","item":"/srv/12345","error":{"message":"open error 12345"}}`
  expect(readLine('stderr', line, redact)).toEqual({
    stream: 'event',
    payload:
      '{"message_type":"error","during":"archival","item":"/srv/***","error":{"message":"open *** ***"}}',
    message: { type: 'error', during: 'archival', item: '/srv/***', message: 'open *** ***' },
  })
  const summary = readLine(
    'stdout',
    '{"message_type":"summary","data_added":12345678,"snapshot_id":"abcd1234"}',
    redact,
  )
  expect(summary.payload).toBe('{"message_type":"summary","data_added":12345678,"snapshot_id":"abcd1234"}')
  expect(summary.message).toMatchObject({ snapshotId: 'abcd1234' })
})

test('a document is found behind the text restic puts before it, and nothing printed is no document', () => {
  expect(parseDocument('Unable to load tree deadbeef\n[{"hits":1}]\n')).toEqual([{ hits: 1 }])
  expect(parseDocument('\n')).toBeUndefined()
  expect(() => parseDocument('only words')).toThrow(SyntaxError)
})

test.each([
  ['2026-11-23T08:12:56.534123456+01:00', '2026-11-23T07:12:56.534Z'],
  ['0000-01-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
  ['9999-12-31T23:59:59-10:00', '9999-12-31T23:59:59.999Z'],
  ['yesterday', undefined],
])('the time %s is told as %s, which every end can keep', (said, told) => {
  expect(asInstant(said)).toBe(told)
  if (told !== undefined) expect(Instant.safeParse(told).success).toBe(true)
})
