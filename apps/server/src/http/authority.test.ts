// The authority behind a certificate: pinned where it is a private one, and left to the system where everybody knows it.
import { rootCertificates } from 'node:tls'
import { expect, test } from 'vitest'
import { startServer } from '../testing.ts'
import { privateAuthority } from './authority.ts'

test('a public authority needs no pin, and what is no certificate has none', () => {
  expect(privateAuthority(rootCertificates[0] ?? '')).toBe('public')
  expect(privateAuthority('nothing')).toBe('unknown')
})

test('a server without an authority of its own has none to show, and pins nothing', async () => {
  await using server = await startServer()
  expect((await fetch(`${server.url}/ca.pem`)).status).toBe(404)
  expect((await server.api.me.get.query()).caPin).toBeNull()
})
