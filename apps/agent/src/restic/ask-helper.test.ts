// Promises about asking ssh or rclone: only when restic's words lack theirs, and on the very way restic went.
import { expect, test } from 'vitest'
import { askHelper, lacksWordsOfHelper, sshTargetOf } from './ask-helper.ts'

test.each([
  ['sftp:host:/srv', { host: 'host' }],
  ['sftp:backup@host:relative/folder', { host: 'host', user: 'backup' }],
  ['sftp:user@realm@host:/srv', { host: 'host', user: 'user@realm' }],
  ['sftp://host//srv', { host: 'host' }],
  ['sftp://backup@host:2222//srv', { host: 'host', user: 'backup', port: '2222' }],
  ['sftp://ba%40ck@[::1]:2222//srv', { host: '::1', user: 'ba@ck', port: '2222' }],
  ['sftp:50%@host:/srv', { host: 'host', user: '50%' }],
  ['sftp://50%@host//srv', { host: 'host', user: '50%' }],
  ['rest:https://host/', undefined],
])('%s leads where restic would go', (url, target) => {
  expect(sshTargetOf(url)).toEqual(target)
})

test('the helper is asked only when it failed and its words are missing', () => {
  const failed = 'Fatal: unable to start the sftp session, error: EOF'
  expect(lacksWordsOfHelper(failed)).toBe(true)
  expect(lacksWordsOfHelper(`subprocess ssh: Warning: Permanently added 'h'\n${failed}`)).toBe(true)
  expect(lacksWordsOfHelper(`subprocess ssh: Host key verification failed.\n${failed}`)).toBe(false)
  expect(lacksWordsOfHelper('Fatal: error talking HTTP to rclone: exit status 1')).toBe(true)
  expect(lacksWordsOfHelper('rclone: Failed to create\nerror talking HTTP to rclone: EOF')).toBe(false)
  expect(lacksWordsOfHelper('Fatal: wrong password or no key found')).toBe(false)
})

test('a helper that is not there is said to be missing, and a stop is honoured', async () => {
  const signal = new AbortController().signal
  expect(await askHelper('sftp:host:/srv', { PATH: '/nowhere' }, signal)).toEqual([
    'subprocess ssh: executable file not found',
  ])
  expect(await askHelper('sftp:host:/srv', { PATH: '/usr/bin' }, AbortSignal.abort())).toEqual([])
  expect(await askHelper('/srv/restic', { PATH: '/usr/bin' }, signal)).toEqual([])
})
