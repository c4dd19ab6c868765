// What the patterns of a host's policy allow, and what slips through none of them.
import { expect, test } from 'vitest'
import {
  complaintAboutAccess,
  complaintAboutPattern,
  isAllowedPlace,
  localFolderOf,
  slower,
  usualPatterns,
} from './policy.ts'

const usual = usualPatterns('/var/backups/restic')

test('a host whose owner says nothing allows every storage, and folders only below the usual one', () => {
  for (const url of [
    'rest:https://h/a/',
    'sftp:u@h:../a',
    's3:s3.amazonaws.com/b',
    'b2:bucket:a',
    'rclone:r:a',
    '/var/backups/restic',
    '/var/backups/restic/atlas',
    '/var/backups//restic/./atlas/',
  ])
    expect(isAllowedPlace(usual, url), url).toBe(true)
  for (const url of ['/etc/cron.d', '/', '/var/backups/resticx', '/var/backups/restic/../../etc', 'C:\\'])
    expect(isAllowedPlace(usual, url), url).toBe(false)
  expect(localFolderOf({ repositories: usual })).toBe('/var/backups/restic')
  expect(localFolderOf({ repositories: ['/srv/one', 'rest:**'] })).toBeUndefined()
})

test.each([
  ['rest:https://*.example.com/**', 'rest:https://a.example.com/b/', true],
  ['rest:https://*.example.com/**', 'rest:https://evil.net/.example.com/', false],
  ['rest:https://*.example.com/**', 'rest:https://evil.net?.example.com/', false],
  ['rest:https://*.example.com/**', 'rest:https://evil.net#.example.com/', false],
  ['rest:https://*.example.com/**', 'rest:https://evil.net\\.example.com/', false],
  ['rest:https://*.example.com/**', 'rest:https://evil.net:1@a.example.com/', false],
  ['rest:https://h/web/**', 'rest:https://h/web', true],
  ['rest:https://h/web/**', 'rest:https://h/website/', false],
  ['rest:https://h/web/**', 'rest:https://h/web/../db/', false],
  ['rest:https://h/web/**', 'rest:https://h/web/%2e%2E/db/', false],
  ['rest:https://h/web/**', 'rest:https://h/web/..%2fdb/', false],
  ['rest:https://h/web/**', 'rest:https://h/web/%252e%252e%255cdb/', false],
  ['rest:https://h/web/**', 'rest:https://h/web/%zz/', false],
  ['rest:https://h/web/**', 'rest:https://h/web/a%20b/', true],
  ['rest:https://h/web/', 'rest:https://h/web', true],
  ['rest:https://h/web/', 'rest:https://h/web/db', false],
  ['sftp:backup@vault:/srv/**', 'sftp:backup@vault:/srv/a', true],
  ['sftp:backup@vault:/srv/**', 'sftp:root@vault:/srv/a', false],
  ['b2:mine:**', 'b2:mine:a/b', true],
  ['b2:mine:**', 'b2:other:a', false],
  ['/mnt/*/restic', '/mnt/usb/restic/', true],
  ['/mnt/*/restic', '/mnt/a/b/restic', false],
  ['D:\\Backups\\**', 'd:/backups/Host', true],
  ['D:\\Backups\\**', 'D:\\Other', false],
  ['D:\\Backups\\**', 'D:\\Backups\\.. \\Other', false],
  ['/srv/**', '/srv/50%/..a', true],
  ['/srv/a.b', '/srv/axb', false],
  ['**', '/etc', true],
])('%s and %s: %j', (pattern, url, allowed) => {
  expect(complaintAboutPattern(pattern)).toBeUndefined()
  expect(isAllowedPlace([pattern], url)).toBe(allowed)
})

test.each(['*', 'srv', 'http://h/', '/srv/**/a', '/srv**', 'rest:https://h**', '***'])(
  'the pattern %s is refused',
  pattern => expect(complaintAboutPattern(pattern)).toEqual(expect.any(String)),
)

test('a remote that is a folder of the host counts as that folder', () => {
  const policy = { repositories: usual } as const
  const credential = 'type = local'
  const complain = (url: string) => complaintAboutAccess(policy, { url, credential })
  expect(complain('rclone:disk:/etc/cron.d')).toContain('/etc/cron.d: see "repositories"')
  expect(complain('rclone:disk:etc')).toContain('repositories')
  expect(complain('rclone:disk:var/backups/restic/a')).toContain('./var/backups/restic/a')
  expect(complain('rclone:disk:/var/backups/restic/a')).toBeUndefined()
})

test('a name of environment passes when the storage takes it and the host does not forbid it', () => {
  const environment = { RESTIC_CACERT: '/etc/ca.pem' }
  const access = { url: 'rest:https://h/', environment }
  expect(complaintAboutAccess({}, access)).toBeUndefined()
  expect(complaintAboutAccess({ environment: ['RESTIC_CACERT'] }, access)).toBeUndefined()
  expect(complaintAboutAccess({ environment: [] }, access)).toContain('"environment"')
  for (const name of ['LD_PRELOAD', 'RESTIC_PASSWORD_COMMAND', 'RESTIC_REPOSITORY', 'PATH', 'constructor'])
    expect(complaintAboutAccess({}, { url: 'rest:https://h/', environment: { [name]: 'x' } })).toContain(
      `${name} may not be set`,
    )
})

test('an Azure address under another name is not shown what the host itself signs in with', () => {
  const access = { url: 'azure:backups:/a', environment: { AZURE_ENDPOINT_SUFFIX: 'evil.example' } }
  expect(complaintAboutAccess({}, access)).toContain('only together with the key')
  expect(complaintAboutAccess({}, { ...access, credential: 'key' })).toBeUndefined()
})

test('a policy file that is not followed lets nothing run', () => {
  const policy = { repositories: ['**'], problem: 'It is no JSON.' } as const
  expect(complaintAboutAccess(policy, { url: 'rest:https://h/' })).toContain('It is no JSON.')
})

test('of two limits the slower counts', () => {
  expect([slower(1, 2), slower(2, undefined), slower(undefined, 3), slower(undefined, undefined)]).toEqual([
    1,
    2,
    3,
    undefined,
  ])
})
