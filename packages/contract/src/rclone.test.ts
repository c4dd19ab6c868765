// Promises about rclone remotes: what an operator pastes reaches rclone, and nothing that runs a program does.
import { describe, expect, test } from 'vitest'
import { rcloneEnvironment, rcloneRemoteOf, rcloneSecrets, rcloneTypes, readRcloneSection } from './rclone.ts'

const webdav = `
[vault]
type = webdav
url = https://dav.example.com/x?a=b
vendor = other
user = noor
pass = 0bscured
`

test('a pasted section becomes the environment of that one remote', () => {
  const remote = readRcloneSection(webdav)
  if ('complaint' in remote) throw new Error(remote.complaint)
  expect(rcloneEnvironment('vault', remote)).toEqual({
    RCLONE_CONFIG_VAULT_TYPE: 'webdav',
    RCLONE_CONFIG_VAULT_URL: 'https://dav.example.com/x?a=b',
    RCLONE_CONFIG_VAULT_VENDOR: 'other',
    RCLONE_CONFIG_VAULT_USER: 'noor',
    RCLONE_CONFIG_VAULT_PASS: '0bscured',
  })
  expect(rcloneSecrets(remote)).toEqual(['0bscured'])
})

test('a section of Windows lines, comments and empty values is read too', () => {
  expect(readRcloneSection('# mine\r\ntype = ftp\r\nhost=files.lan\r\nuser =\r\n; end')).toEqual({
    type: 'ftp',
    values: { host: 'files.lan' },
  })
})

describe('a section is refused with a sentence', () => {
  test.each([
    ['', 'needs a line that says its type'],
    ['url = https://x', 'needs a line that says its type'],
    ['type webdav', 'key = value'],
    ['type = ftp\ntype = ftp', 'twice'],
    ['[a]\ntype = ftp\n[b]\ntype = local', 'one section'],
    ['type = alias\nremote = /srv', 'type "alias" may not be used'],
    ['type = crypt\nremote = :sftp,ssh=id:x', 'type "crypt" may not be used'],
    ['type = constructor', 'type "constructor" may not be used'],
    ['type = sftp\nssh = id', '"ssh" may not be set'],
    ['type = sftp\nserver_command = id', '"server_command" may not be set'],
    ['type = webdav\nbearer_token_command = id', '"bearer_token_command" may not be set'],
    ['type = s3\nshared_credentials_file = /etc/shadow', 'may not be set'],
    ['type = local\ncopy_links = true', 'Accepted: nothing else'],
    ['type = local\n__proto__ = x', '"__proto__" may not be set'],
  ])('%j', (section, part) => {
    const read = readRcloneSection(section)
    expect(read).toEqual({ complaint: expect.stringContaining(part) })
  })
})

test('no key that may be set runs a program or reads settings from elsewhere', () => {
  for (const { keys, secrets } of Object.values(rcloneTypes))
    for (const key of [...keys, ...secrets])
      expect(key).not.toMatch(/command|^ssh$|^remote$|env_auth|config_file|_url$(?<!sas_url|storage_url)/)
})

test('only a plain name is a remote', () => {
  expect(rcloneRemoteOf('rclone:vault:x')).toBe('vault')
  for (const url of ['rclone::local:x', 'rclone:a-b:x', 'rclone:a,b=c:x', 'rclone:a', 'sftp:a:x'])
    expect(rcloneRemoteOf(url)).toBeUndefined()
})
