// Promises of the log in words.
import { expect, test } from 'vitest'
import { describeEvent, logFileLine, logRow } from './log-lines.ts'

const event = (message: object) => describeEvent(JSON.stringify(message))

test('an unread file is a warning that names the file once', () => {
  expect(
    event({
      message_type: 'error',
      error: { message: 'open /srv/a: permission denied' },
      during: 'archival',
      item: '/srv/a',
    }),
  ).toEqual({ level: 'warn', text: 'open /srv/a: permission denied' })
  expect(
    event({ message_type: 'error', error: { message: 'input/output error' }, item: '/srv/b' }).text,
  ).toBe('/srv/b: input/output error')
})

test('the errors of restic 0.14, which have no words, still say what failed', () => {
  expect(
    event({ message_type: 'error', error: { Op: 'open', Path: '/srv/a', Err: 13 }, item: '/srv/a' }).text,
  ).toBe('/srv/a: open failed')
})

test('the end of restic is an error line', () => {
  expect(event({ message_type: 'exit_error', code: 12, message: 'Fatal: wrong password' })).toEqual({
    level: 'error',
    text: 'Fatal: wrong password',
  })
})

test('a summary says what was done', () => {
  expect(
    event({
      message_type: 'summary',
      files_new: 3,
      files_changed: 1,
      total_files_processed: 4,
      total_bytes_processed: 2048,
      data_added: 1024,
      snapshot_id: 'abcdef0123456789',
    }).text,
  ).toBe('4 files, 2 KiB processed · 3 new, 1 changed · 1 KiB added · snapshot abcdef01')
})

test('what cannot be understood stands as it came', () => {
  expect(describeEvent('not json').text).toBe('not json')
  expect(event({ message_type: 'from the future' }).text).toContain('from the future')
  expect(describeEvent('null').text).toBe('null')
})

test('a line can colour and move nothing', () => {
  expect(
    logRow({ seq: 0, ts: 0, stream: 'stderr', payload: '\u001B[31mFatal: no\u001B[0m\r' }),
  ).toMatchObject({ level: 'error', text: 'Fatal: no' })
})

test('a gap is a sentence with its count', () => {
  const row = logRow({ seq: 5, ts: 0, gap: { count: 214, bytes: 20_480, reason: 'the buffer was full' } })
  expect(row).toMatchObject({ gap: true, text: '214 lines (20 KiB) dropped here: the buffer was full' })
})

test('the file holds the payload as it was', () => {
  expect(logFileLine({ seq: 0, ts: 0, stream: 'event', payload: '{"a":1}' })).toBe(
    '1970-01-01T00:00:00.000Z\tevent\t{"a":1}\n',
  )
})
