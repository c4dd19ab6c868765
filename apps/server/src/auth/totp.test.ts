// Codes promise to be those of every authenticator app, and to forgive half a minute of drift, no more.
import { expect, test } from 'vitest'
import { base32, codeOf, stepAt, stepOfCode, totpAddress } from './totp.ts'

const secret = Buffer.from('12345678901234567890')

test('codes are those of RFC 6238', () => {
  const at = (seconds: number) => codeOf(secret, stepAt(seconds * 1_000))
  expect([59, 1_111_111_109, 1_234_567_890, 20_000_000_000].map(at)).toEqual([
    '287082',
    '081804',
    '005924',
    '353130',
  ])
})

test('a code of the step before or after is taken, one further away is not, nor is anything else', () => {
  const now = 1_700_000_000_000
  const step = stepAt(now)
  const found = [-2, -1, 0, 1, 2].map(by => stepOfCode(secret, codeOf(secret, step + by), now))
  expect(found).toEqual([undefined, step - 1, step, step + 1, undefined])
  for (const odd of ['', '12345', '1234567', 'abcdef', '１２３４５６'])
    expect(stepOfCode(secret, odd, now)).toBeUndefined()
})

test('a secret is written as apps read it', () => {
  expect(base32(secret)).toBe('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ')
  expect(base32(Buffer.from('foob'))).toBe('MZXW6YQ')
  expect(totpAddress(secret, { issuer: 'restic-manager', email: 'a+b@example.org' })).toBe(
    'otpauth://totp/restic-manager:a%2Bb%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=restic-manager',
  )
})
