// What settings of the provider are turned away before anything starts, and how groups and domains are read.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readConfig, settingsHelp } from './config.ts'

const whole = {
  RM_OIDC_ISSUER: 'https://id.example.org/realms/home',
  RM_OIDC_CLIENT_ID: 'restic-manager',
  RM_OIDC_CLIENT_SECRET: 'geheim',
  RM_PUBLIC_URL: 'https://backup.example.org',
}

test('without an issuer there is no provider, and with the three of it there is one that lets only invited people in', () => {
  expect(readConfig({}).provider).toBeUndefined()
  expect(readConfig(whole).provider).toEqual({
    issuer: 'https://id.example.org/realms/home',
    clientId: 'restic-manager',
    clientSecret: 'geheim',
    name: 'id.example.org',
    scopes: 'openid email profile',
    domains: [],
    domainRole: 'viewer',
    groupsClaim: 'groups',
    groupRoles: [],
  })
})

test.each<[Record<string, string>, string]>([
  [
    { RM_OIDC_ISSUER: 'http://id.example.org' },
    'RM_OIDC_ISSUER is "http://id.example.org". Accepted: an https address',
  ],
  [{ RM_OIDC_ISSUER: 'https://u:p@id.example.org' }, 'RM_OIDC_ISSUER'],
  [{ RM_OIDC_ISSUER: 'https://id.example.org/?x=1' }, 'RM_OIDC_ISSUER'],
  [{ RM_OIDC_ISSUER: '' }, 'RM_OIDC_ISSUER is not set, but other settings'],
  [{ RM_OIDC_CLIENT_ID: '' }, 'RM_OIDC_CLIENT_ID is not set'],
  [{ RM_OIDC_CLIENT_SECRET: '' }, 'RM_OIDC_CLIENT_SECRET_FILE are not set. Accepted: exactly one'],
  [{ RM_OIDC_CLIENT_SECRET_FILE: '/etc/secret' }, 'are both set. Accepted: exactly one'],
  [
    { RM_OIDC_CLIENT_SECRET: '', RM_OIDC_CLIENT_SECRET_FILE: '/none' },
    '"/none", which cannot be read (ENOENT)',
  ],
  [{ RM_OIDC_SCOPES: 'email profile' }, 'openid among them'],
  [{ RM_OIDC_DOMAINS: 'example.org, *.example.net' }, 'domains separated by commas'],
  [{ RM_OIDC_DOMAIN_ROLE: 'king' }, 'Accepted: viewer, operator, admin'],
  [{ RM_OIDC_GROUP_ROLES: 'king=admins' }, 'role=group separated by semicolons'],
  [{ RM_OIDC_GROUP_ROLES: 'admin' }, 'role=group separated by semicolons'],
  [{ RM_PUBLIC_URL: '', HOST: '0.0.0.0' }, 'RM_OIDC_ISSUER is set, but RM_PUBLIC_URL is not'],
])('%j is turned away in a sentence that does not give the secret away', (change, sentence) => {
  const reading = () => readConfig({ ...whole, ...change })
  expect(reading).toThrow(sentence)
  expect(reading).not.toThrow('geheim')
})

test('an issuer on this machine may go without TLS, and a file may hold the secret', async () => {
  const folder = await mkdtemp('/tmp/rm-provider-')
  const file = join(folder, 'secret')
  await writeFile(file, 'from the file\n')
  for (const host of ['127.0.0.1:9000', 'localhost', '[::1]:9000']) {
    const { provider } = readConfig({
      RM_OIDC_ISSUER: `http://${host}`,
      RM_OIDC_CLIENT_ID: 'x',
      RM_OIDC_CLIENT_SECRET_FILE: file,
    })
    expect(provider).toMatchObject({ clientSecret: 'from the file', name: host })
  }
  await rm(folder, { recursive: true })
})

test('groups may have commas and equals signs in them, and the highest role of somebody comes first', () => {
  const { provider } = readConfig({
    ...whole,
    RM_OIDC_DOMAINS: 'Example.org, example.net',
    RM_OIDC_GROUP_ROLES: 'viewer=staff; admin=cn=admins,dc=home;operator=ops',
  })
  expect(provider?.domains).toEqual(['example.org', 'example.net'])
  expect(provider?.groupRoles).toEqual([
    { role: 'admin', group: 'cn=admins,dc=home' },
    { role: 'operator', group: 'ops' },
    { role: 'viewer', group: 'staff' },
  ])
})

test('--help names each of them', () => {
  for (const name of [
    'ISSUER',
    'CLIENT_ID',
    'CLIENT_SECRET',
    'CLIENT_SECRET_FILE',
    'NAME',
    'SCOPES',
    'DOMAINS',
  ])
    expect(settingsHelp()).toContain(`RM_OIDC_${name} `)
  for (const name of ['DOMAIN_ROLE', 'GROUPS_CLAIM', 'GROUP_ROLES'])
    expect(settingsHelp()).toContain(`RM_OIDC_${name} `)
})
