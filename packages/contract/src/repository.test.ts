import { describe, expect, test } from 'vitest'
import { backendOf, complaintAboutUrl } from './repository.ts'
import { complaintsAboutBackend } from './requests.ts'

describe('a repository address', () => {
  test.each([
    ['/srv/restic', 'local'],
    ['/srv/my backups', 'local'],
    ['C:\\Backups\\restic', 'local'],
    ['rest:https://backup.example.com:8000/host-1/', 'rest'],
    ['rest:http://127.0.0.1:8000/', 'rest'],
    ['sftp:restic@vault.example.com:/srv/restic', 'sftp'],
    ['sftp:vault:relative/folder', 'sftp'],
    ['sftp://restic@vault.example.com:2222//srv/restic', 'sftp'],
    ['s3:s3.amazonaws.com/bucket/folder', 's3'],
    ['s3:https://minio.example.com:9000/bucket', 's3'],
  ])('%s is %s', (url, kind) => {
    expect(complaintAboutUrl(url)).toBeUndefined()
    expect(backendOf(url)).toBe(kind)
  })

  test.each([
    ['relative/folder', 'absolute path'],
    ['/srv/../etc', '".."'],
    ['ftp://example.com/x', 'rest:, sftp: or s3:'],
    ['rclone:remote:path', 'rest:, sftp: or s3:'],
    ['rest:https://user:secret@example.com/', 'user name or password'],
    ['rest:https://user@example.com/', 'user name or password'],
    ['rest:example.com/x', 'REST address looks like'],
    ['rest:https://example.com/a b', 'spaces'],
    ['s3:https://key:secret@s3.example.com/bucket', 'user name or password'],
    ['s3:https://s3.example.com/', 'names no bucket'],
    ['sftp:user:secret@host:/x', 'password'],
    ['sftp:-oProxyCommand=id:/x', 'dash'],
    ['sftp:host', 'SFTP address looks like'],
  ])('%s is refused with a sentence about %s', (url, part) => {
    expect(complaintAboutUrl(url)).toContain(part)
  })
})

test('environment names that a backend does not take are named, with what is accepted', () => {
  expect(
    complaintsAboutBackend({ url: 's3:s3.amazonaws.com/bucket', environment: { LD_PRELOAD: '/x.so' } }),
  ).toEqual([
    {
      field: 'environment',
      message: 'LD_PRELOAD may not be set for a s3 repository. Accepted: AWS_DEFAULT_REGION.',
    },
  ])
  expect(
    complaintsAboutBackend({ url: '/srv/restic', username: 'noor', credential: 'x' }).map(
      ({ field }) => field,
    ),
  ).toEqual(['username', 'credential'])
})
