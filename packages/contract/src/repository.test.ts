import { describe, expect, test } from 'vitest'
import { backendKinds, backendOf, backends } from './backends.ts'
import { complaintAboutCredential, complaintAboutUrl } from './repository.ts'
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
    ['sftp:restic@vault:/srv/$a;b', 'sftp'],
    ['sftp://ACME\\noor@[2001:db8::1]:22//srv', 'sftp'],
    ['s3:s3.amazonaws.com/bucket/folder', 's3'],
    ['s3:https://minio.example.com:9000/bucket', 's3'],
    ['b2:acme-backup', 'b2'],
    ['b2:acme-backup:hosts/atlas', 'b2'],
    ['azure:backups:/atlas', 'azure'],
    ['gs:acme_backups.eu:/atlas', 'gs'],
    ['rclone:vault:hosts/atlas', 'rclone'],
    ['rclone:disk_2:/srv/restic', 'rclone'],
  ])('%s is %s', (url, kind) => {
    expect(complaintAboutUrl(url)).toBeUndefined()
    expect(backendOf(url)).toBe(kind)
  })

  test.each([
    ['relative/folder', 'absolute path'],
    ['/srv/../etc', '".."'],
    ['ftp://example.com/x', 'rest:, sftp:, s3:, b2:, azure:, gs: or rclone:'],
    ['local:/srv/restic', 'rest:, sftp:'],
    ['b2:', 'B2 address looks like'],
    ['b2:a bucket:x', 'spaces'],
    ['azure:backups', 'Azure address looks like'],
    ['azure:Backups:/x', 'Azure address looks like'],
    ['gs:bucket', 'Google Cloud Storage address looks like'],
    ['rclone:vault', 'rclone address looks like'],
    ['rclone::sftp,ssh="id":x', 'rclone address looks like'],
    ['rclone:vault,ssh=id:x', 'rclone address looks like'],
    ['rclone:-vault:x', 'rclone address looks like'],
    ['rclone:--password-command=id:x', 'rclone address looks like'],
    ['rest:https://user:secret@example.com/', 'user name or password'],
    ['rest:https://user@example.com/', 'user name or password'],
    ['rest:example.com/x', 'REST address looks like'],
    ['rest:https://example.com/a b', 'spaces'],
    ['s3:https://key:secret@s3.example.com/bucket', 'user name or password'],
    ['s3:https://s3.example.com/', 'names no bucket'],
    ['sftp:user:secret@host:/x', 'password'],
    ['sftp:-oProxyCommand=id:/x', 'dash'],
    ['sftp:user@-oProxyCommand=id:/x', 'dash'],
    ['sftp://user@-oProxyCommand=id/x', 'dash'],
    ['sftp:user@realm@-oProxyCommand=id:/x', 'dash'],
    ['sftp:host', 'SFTP address looks like'],
    ['sftp:u@$(id):/x', 'marks that a shell reads'],
    ['sftp:u@`id`:/x', 'marks that a shell reads'],
    ['sftp:a;id@host:/x', 'marks that a shell reads'],
    ['sftp://u@h|id/x', 'marks that a shell reads'],
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
      message: 'LD_PRELOAD may not be set for a s3 repository. Accepted: AWS_DEFAULT_REGION, RESTIC_CACERT.',
    },
  ])
  expect(
    complaintsAboutBackend({ url: '/srv/restic', username: 'noor', credential: 'x' }).map(
      ({ field }) => field,
    ),
  ).toEqual(['username', 'credential'])
})

test('no backend takes a name that makes restic, or what it starts, run a program or load a library', () => {
  const names = backendKinds.flatMap((kind): readonly string[] => backends[kind].environment)
  expect([...new Set(names)].toSorted()).toEqual([
    'AWS_DEFAULT_REGION',
    'AZURE_ENDPOINT_SUFFIX',
    'RESTIC_CACERT',
  ])
})

test('a file of certificate authorities is named by an absolute path', () => {
  const url = 'rest:https://backup.example.com/'
  const complain = (RESTIC_CACERT: string) => complaintsAboutBackend({ url, environment: { RESTIC_CACERT } })
  expect(complain('/etc/ssl/own.pem')).toEqual([])
  expect(complain('C:\\certs\\own.pem')).toEqual([])
  expect(complain('own.pem')).toMatchObject([{ field: 'environment' }])
})

test('a Google key is a JSON file of an account, and of no type that runs programs', () => {
  const key = (type: string) => JSON.stringify({ type, project_id: 'p' }, null, 2)
  expect(complaintAboutCredential('gs', key('service_account'))).toBeUndefined()
  expect(complaintAboutCredential('gs', key('authorized_user'))).toBeUndefined()
  for (const bad of [key('external_account'), 'AIza-not-json', '[]', '{}'])
    expect(complaintAboutCredential('gs', bad)).toContain('JSON key file')
})

test('the admin secret is checked like the everyday one', () => {
  expect(
    complaintsAboutBackend({
      url: 'rclone:vault:x',
      credential: 'type = local',
      adminUsername: 'noor',
      adminCredential: 'type = alias\nremote = /srv',
    }),
  ).toMatchObject([{ field: 'adminUsername' }, { field: 'adminCredential' }])
  expect(complaintsAboutBackend({ url: 'b2:acme', username: 'id', credential: 'two\nlines' })).toEqual([
    { field: 'credential', message: 'The secret must be one line.' },
  ])
})
