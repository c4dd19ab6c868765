// Agents come over TLS, from this machine, through a proxy that vouches for TLS, or where plain http was allowed in so many words.
import type { IncomingMessage } from 'node:http'
import { BlockList } from 'node:net'
import { describe, expect, test } from 'vitest'
import { createTRPCClient, httpLink } from '@trpc/client'
import type { JoinRouter } from '../join-api/router.ts'
import { startServer } from '../testing.ts'
import { makeKey } from '../testing-fleet.ts'
import { joinAsAgent, openSocket } from '../testing-agent.ts'
import { isPrivate, travelsPlain } from './transport.ts'

const trustedProxies = new BlockList()
trustedProxies.addAddress('10.0.0.1')
trustedProxies.addAddress('127.0.0.1')

type Way = {
  from: string
  tls?: boolean
  headers?: Record<string, string>
  publicUrl?: string
  allowed?: boolean
}
const privately = ({ from, tls, headers = {}, publicUrl, allowed = false }: Way) => {
  const socket = { remoteAddress: from, ...(tls && { encrypted: true }) }
  const request = { socket, headers } as unknown as IncomingMessage
  return isPrivate(request, { trustedProxies, publicUrl, allowPlainHttp: allowed })
}

describe('an agent of another machine', () => {
  test('is let in over TLS, and over plain http only where that was allowed', () => {
    expect(privately({ from: '192.0.2.7', tls: true })).toBe(true)
    expect(privately({ from: '192.0.2.7' })).toBe(false)
    expect(privately({ from: '192.0.2.7', publicUrl: 'https://backup.example.org' })).toBe(false)
    expect(privately({ from: '192.0.2.7', allowed: true })).toBe(true)
  })

  test('is let in through a trusted proxy that says https, or under an https address when it says nothing', () => {
    const by = (headers: Record<string, string>, publicUrl?: string) =>
      privately({
        from: '10.0.0.1',
        headers: { 'x-forwarded-for': '192.0.2.7', ...headers },
        ...(publicUrl && { publicUrl }),
      })
    expect(by({ 'x-forwarded-proto': 'https' })).toBe(true)
    expect(by({}, 'https://backup.example.org')).toBe(true)
    expect(by({})).toBe(false)
    expect(by({}, 'http://backup.example.org')).toBe(false)
    expect(by({ 'x-forwarded-proto': 'http' }, 'https://backup.example.org')).toBe(false)
    expect(by({ 'x-forwarded-proto': 'https, http' })).toBe(false)
  })

  test('gains nothing by sending a proxy’s headers itself', () => {
    const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-for': '127.0.0.1' }
    expect(privately({ from: '192.0.2.7', headers })).toBe(false)
  })
})

test('an agent of this machine needs no TLS, also where a proxy stands on it', () => {
  for (const from of ['127.0.0.1', '127.8.9.1', '::1', '::ffff:127.0.0.1'])
    expect(privately({ from }), from).toBe(true)
})

test('a running server turns agents of other machines away at both doors, and says what to do', async () => {
  await using server = await startServer({ env: { RM_TRUSTED_PROXIES: '127.0.0.1' } })
  const agent = await joinAsAgent(server.url, await server.createEnrolment())
  const headers = { 'x-forwarded-for': '192.0.2.7', 'x-forwarded-proto': 'http' }
  const join = createTRPCClient<JoinRouter>({
    links: [httpLink({ url: `${server.url}/join`, headers })],
  })
  const token = await server.createEnrolment()
  const redeeming = join.enrolment.redeem.mutate({ token, publicKey: makeKey().publicKey, hostname: 'far' })
  await expect(redeeming).rejects.toMatchObject({
    message: expect.stringContaining('RM_ALLOW_PLAIN_HTTP'),
    data: { code: 'FORBIDDEN', refusal: 'not_allowed' },
  })
  const authorization = `Bearer ${await agent.bearer()}`
  await expect(openSocket(`${server.url}/agent`, { ...headers, authorization })).rejects.toThrow('403')
  const { socket } = await openSocket(`${server.url}/agent`, {
    ...headers,
    'x-forwarded-proto': 'https',
    authorization,
  })
  socket.close()
})

test('the page is called unencrypted only where others reach it by plain http', () => {
  const plain = [
    'http://10.0.0.5:8470',
    'http://0.0.0.0:8470',
    'http://backup.example.org',
    'http://[::]:8470',
  ]
  const safe = [
    'https://backup.example.org',
    'http://127.0.0.1:8470',
    'http://127.8.0.1',
    'http://localhost:8470',
    'http://[::1]:8470',
  ]
  expect([...plain, ...safe].filter(travelsPlain)).toEqual(plain)
})
