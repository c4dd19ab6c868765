// What the patterns of a host's policy allow, and what slips through none of them.
import { expect, test } from 'vitest'
import { complaintAboutPattern, isAllowedPlace, localFolderOf, usualPatterns } from './policy.ts'

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
  expect(localFolderOf(usual)).toBe('/var/backups/restic')
  expect(localFolderOf(['/srv/one', 'rest:**'])).toBeUndefined()
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
