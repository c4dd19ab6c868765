// The search for secrets is worth something only if it finds them: each is planted here in each form.
import { expect, test } from 'vitest'
import { findSecrets, findTokens, formsOf, refuseSecrets } from './canaries.ts'

const value = 'p "ä/%+40 of:all'
const planted = { name: 'the password', value }
const other = { name: 'another', value: 'never written' }

const base64 = (text: string) => Buffer.from(text).toString('base64')

test.each([
  ['as it is', `said ${value} aloud`],
  ['in an address', `rest:https://noor:${encodeURIComponent(value)}@host/`],
  ['in JSON', JSON.stringify({ deep: { value } })],
  ['in hex', Buffer.from(value).toString('hex')],
  ['in hex of a dump', `\\x00${Buffer.from(value).toString('hex').toUpperCase()}ff`],
  ['in base64', base64(value)],
  ['behind a name of any length in base64', base64(`noor:${value}`)],
  ['in the middle of base64', base64(`a:${value} and so on`)],
  ['in base64url', Buffer.from(`no:${value}`).toString('base64url')],
])('a secret is found %s', (_form, text) => {
  expect(findSecrets(`before ${text} after`, [other, planted])).toEqual(['the password'])
})

test('bytes are found although they are no text', () => {
  const bytes = Buffer.from('00ff80fe7f01c3280a'.repeat(2), 'hex')
  const key = { name: 'the key', value: bytes }
  for (const text of [bytes.toString('hex'), Buffer.concat([Buffer.from('k'), bytes]).toString('base64')])
    expect(findSecrets(text, [key])).toEqual(['the key'])
})

test('what is not there is not found, nor what chance would find', () => {
  expect(findSecrets('said never a word', [planted, other])).toEqual([])
  expect(() => formsOf('short')).toThrow('too short')
  expect(() => refuseSecrets('The log', 'a cat sat', [{ name: 'pet', value: 'cat' }])).not.toThrow()
})

const random = 'x'.repeat(43)
test.each([
  ['an API key or an enrolment token', `rmk_${random}`],
  ['an API key or an enrolment token', `{"token":"rmj_${random}"}`],
  ['a bearer', `authorization: Bearer ${random}`],
  ['a session cookie', `cookie: a=b; __Host-restic-manager=${random}.${random}`],
  ['the secret of a link', `http://127.0.0.1:8470/setup#${random}`],
  ['a private key', '-----BEGIN PRIVATE KEY-----'],
])('%s is known by its looks', (name, text) => {
  expect(findTokens(`before ${text} after`)).toEqual([name])
})

test('a finding names what was found and where, and shows nothing of it', () => {
  const written = `rmk_${random} and ${value}`
  expect(() => refuseSecrets('The log of the server', written, [planted])).toThrow(
    /^The log of the server shows an API key or an enrolment token, the password\.$/,
  )
  expect(findTokens('rmk_short, Bearer [redacted], restic-manager=; Max-Age=0, /setup')).toEqual([])
})
