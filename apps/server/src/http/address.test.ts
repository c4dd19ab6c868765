// Whose address counts, when anybody may write anything into a header.
import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import { readConfig } from '../config.ts'
import { clientAddress, limitKey } from './address.ts'

const { trustedProxies } = readConfig({ RM_TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8, fd00::/8' })
const from = (remoteAddress: string, forwarded?: string) =>
  clientAddress(
    { socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } } as unknown as IncomingMessage,
    trustedProxies,
  )

test('a stranger cannot lend itself another address', () => {
  expect(from('203.0.113.9', '198.51.100.1')).toBe('203.0.113.9')
  expect(from('::ffff:203.0.113.9', '198.51.100.1')).toBe('203.0.113.9')
})

test('behind trusted proxies the last address they did not write themselves counts', () => {
  expect(from('127.0.0.1', '198.51.100.1')).toBe('198.51.100.1')
  expect(from('127.0.0.1', '1.2.3.4, 198.51.100.1, 10.1.2.3')).toBe('198.51.100.1')
  expect(from('fd00::1', '2001:db8::5')).toBe('2001:db8::5')
  expect(from('127.0.0.1', 'not an address')).toBe('127.0.0.1')
  expect(from('127.0.0.1')).toBe('127.0.0.1')
})

test('limits count an IPv6 machine by its network, whatever way the address is written', () => {
  expect(limitKey('198.51.100.1')).toBe('198.51.100.1')
  const keys = ['2001:db8:0:1::5', '2001:0db8:0000:0001:ffff::', '2001:db8:0:1:1:2:3:4'].map(limitKey)
  expect(new Set(keys)).toEqual(new Set(['2001:db8:0:1']))
  expect(limitKey('::1')).toBe('0:0:0:0')
  expect(limitKey('fe80::1%eth0')).toBe('fe80:0:0:0')
})
