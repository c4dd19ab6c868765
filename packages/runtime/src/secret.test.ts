// A secret promises not to slip out by any of the ways in which values usually reach a log or a wire.
import { format, inspect } from 'node:util'
import { expect, test } from 'vitest'
import { Secret } from './secret.ts'

const canary = 'canary-4711'
const secret = new Secret(canary)

test.each<[string, () => unknown]>([
  ['a template', () => `${secret}`],
  ['String()', () => String(secret)],
  ['joining', () => [secret].join()],
  ['adding', () => `x${secret as unknown as string}`],
  ['JSON', () => JSON.stringify({ deep: [{ secret }] })],
  ['inspection', () => inspect({ deep: { secret } }, { depth: 9, showHidden: true })],
  ['format', () => format('%s %o %O %j', secret, secret, secret, secret)],
  ['an error', () => inspect(new Error('failed', { cause: secret }))],
  ['a spread', () => JSON.stringify({ ...secret })],
  ['a copy', () => JSON.stringify(structuredClone(secret))],
  ['its entries', () => JSON.stringify([Object.entries(secret), Reflect.ownKeys(secret)])],
])('is not given away by %s', (_, show) => {
  expect(String(show())).not.toContain(canary)
})

test('says that something was left out, and gives the text to who asks for it', () => {
  expect([String(secret), JSON.stringify(secret), inspect(secret)]).toEqual([
    '[redacted]',
    '"[redacted]"',
    '[redacted]',
  ])
  expect(secret.reveal()).toBe(canary)
})
