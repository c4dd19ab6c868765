// A secret is masked in every spelling it may be printed in, and nothing else is.
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { makeRedactor, makeTailTrimmer } from './redact.ts'

const awkward = 's3cr%t "p\\ss" <w&rd>/@:ü+!'

test.each([
  ['as it is', awkward],
  ['percent-encoded', encodeURIComponent(awkward)],
  ['percent-encoded in lower case', encodeURIComponent(awkward).replace(/%../g, hex => hex.toLowerCase())],
  ['as a form encodes it', encodeURIComponent(awkward).replaceAll('%20', '+')],
  ['as Go writes it into a URL', 's3cr%25t%20%22p%5Css%22%20%3Cw&rd%3E%2F%40%3A%C3%BC+%21'],
  ['in JSON', JSON.stringify(awkward).slice(1, -1)],
  ['in base64', Buffer.from(awkward).toString('base64')],
  ['in base64 for addresses', Buffer.from(awkward).toString('base64url')],
  [
    'in JSON as Go writes it',
    JSON.stringify(awkward)
      .slice(1, -1)
      .replace('<', '\\u003c')
      .replace('>', '\\u003e')
      .replace('&', '\\u0026'),
  ],
])('a secret is masked %s', (_, spelling) => {
  expect(makeRedactor([awkward])(`before ${spelling} after`)).toBe('before *** after')
})

test('credentials in an address are masked even when nobody named them', () => {
  const redact = makeRedactor([])
  expect(redact('Head "http://agent1:s3c%zzr3t@127.0.0.1:8000/r1/": invalid')).toBe(
    'Head "http://***@127.0.0.1:8000/r1/": invalid',
  )
  expect(redact('someone@example.com wrote //comments')).toBe('someone@example.com wrote //comments')
})

test('no line of a secret of several lines gets through', () => {
  expect(makeRedactor(['first line\nsecond line'])('a second line, a first line')).toBe('a ***, a ***')
})

test('a secret too short to be told from ordinary text leaves the text alone', () => {
  expect(makeRedactor(['abc'])('abcdef')).toBe('abcdef')
})

test('whatever the secret is, it is nowhere in what comes out (row 42)', () => {
  const secret = fc
    .string({ minLength: 4, maxLength: 40 })
    .filter(each => !each.includes('*') && !/\n|\r/.test(each))
  fc.assert(
    fc.property(secret, fc.string(), fc.string(), (value, before, after) => {
      expect(makeRedactor([value])(`${before}${value}${after}`)).not.toContain(value)
    }),
  )
})

test('a cut line does not end with the beginning of a secret', () => {
  const trim = makeTailTrimmer(['correct horse'])
  expect(trim('the password is correct ho')).toBe('the password is ')
  expect(trim('nothing of it')).toBe('nothing of it')
})
