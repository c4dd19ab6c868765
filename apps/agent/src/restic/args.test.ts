// Secrets go by environment, arguments by version, and a person sees the command without the secrets.
import { expect, test } from 'vitest'
import { backupArgs, catConfigArgs, excludeFileText, type Target } from './args.ts'
import { accessEnvironment, baseEnvironment, secretsOf, type Access } from './environment.ts'
import { shownCommand } from './shown-command.ts'

const password = 'pass%word'
const rest: Access = {
  url: 'rest:http://backup.lan:8000/h1/',
  password,
  username: 'agent@1',
  credential: 's3c%r:t',
}
const s3: Access = {
  url: 's3:https://s3.lan/bucket',
  password,
  username: 'AKIA1',
  credential: 'deep secret',
  environment: { AWS_DEFAULT_REGION: 'eu-1', LD_PRELOAD: '/evil.so', RESTIC_PASSWORD_COMMAND: 'evil' },
}
const sftp: Access = { url: 'sftp:backup@host:/srv', password }
const request = {
  hostname: 'h1',
  tags: ['a', 'b'],
  excludes: ['-x', '*.tmp'],
  lockWaitMs: 600_000,
}

test('a REST server gets its credentials by name, or encoded in the address where restic is old', () => {
  expect(accessEnvironment(rest, '0.18.0')).toEqual({
    RESTIC_REPOSITORY: rest.url,
    RESTIC_PASSWORD: password,
    RESTIC_REST_USERNAME: 'agent@1',
    RESTIC_REST_PASSWORD: 's3c%r:t',
  })
  expect(accessEnvironment(rest, '0.16.0')).toEqual({
    RESTIC_REPOSITORY: 'rest:http://agent%401:s3c%25r%3At@backup.lan:8000/h1/',
    RESTIC_PASSWORD: password,
  })
})

test('an S3 store gets its keys, and of the environment only what its backend may have', () => {
  expect(accessEnvironment(s3, '0.18.0')).toEqual({
    RESTIC_REPOSITORY: s3.url,
    RESTIC_PASSWORD: password,
    AWS_ACCESS_KEY_ID: 'AKIA1',
    AWS_SECRET_ACCESS_KEY: 'deep secret',
    AWS_DEFAULT_REGION: 'eu-1',
  })
})

test('a local repository gets no environment at all besides its own', () => {
  const local = { url: '/srv/repo', password, environment: { AWS_DEFAULT_REGION: 'eu-1' } }
  expect(accessEnvironment(local, '0.18.0')).toEqual({
    RESTIC_REPOSITORY: '/srv/repo',
    RESTIC_PASSWORD: password,
  })
})

test('restic is told where everything is, so that it needs nothing of ours', () => {
  expect(Object.keys(baseEnvironment({ cache: '/c', temp: '/t' })).toSorted()).toEqual(
    ['HOME', 'LANG', 'PATH', 'RESTIC_CACHE_DIR', 'RESTIC_PROGRESS_FPS', 'TMPDIR'].toSorted(),
  )
})

test('each tag and each exclude is an argument of its own, and paths come by a file', () => {
  expect(backupArgs({ access: rest, version: '0.14.0' }, request, { paths: '/t/list' })).toEqual(
    'backup --json --host h1 --tag a --tag b --exclude -x --exclude *.tmp --files-from-raw /t/list'.split(
      ' ',
    ),
  )
})

test('patterns come by files, but for those that restic would read otherwise there', () => {
  const excludes = ['*.tmp', '$HOME', '# no comment', ' spaced', 'two\nlines']
  const files = { paths: '/t/list', excludes: '/t/excludes', iexcludes: '/t/iexcludes' }
  const args = backupArgs({ access: rest, version: '0.18.0' }, { ...request, excludes }, files)
  expect(args.slice(args.indexOf('--exclude'))).toEqual([
    ...['--exclude', '# no comment', '--exclude', ' spaced', '--exclude', 'two\nlines'],
    ...['--exclude-file', '/t/excludes', '--files-from-raw', '/t/list'],
  ])
  expect(excludeFileText(excludes)).toBe('*.tmp\n$$HOME\n')
})

test('paths of Windows go where all paths go, and are shown as they are', () => {
  const target: Target = { access: { url: 'D:\\Backups', password }, version: '0.18.0' }
  const files = { paths: 'C:\\ProgramData\\t\\list' }
  expect(backupArgs(target, request, files).slice(-2)).toEqual(['--files-from-raw', files.paths])
  const shown = shownCommand(target, backupArgs(target, request), { paths: ['C:\\Users\\A B'] })
  expect(shown).toContain("restic -r 'D:\\Backups' backup ")
  expect(shown).toMatch(/ -- 'C:\\Users\\A B'$/)
})

test('options are arguments only where they were given, and where this restic knows them', () => {
  const options = {
    ...{
      iexcludes: ['*.BAK'],
      excludeIfPresent: ['.nobackup'],
      oneFileSystem: true,
      excludeLargerThan: 1_000,
    },
    ...({ compression: 'max', uploadKibps: 5, downloadKibps: 6, readConcurrency: 4 } as const),
  }
  const args = backupArgs({ access: rest, version: '0.18.0' }, { ...request, ...options })
  for (const flag of [
    '--one-file-system',
    '--exclude-larger-than=1000',
    '--compression=max',
    '--limit-upload=5',
  ])
    expect(args).toContain(flag)
  for (const flag of ['--limit-download=6', '--read-concurrency=4', '*.BAK', '.nobackup'])
    expect(args).toContain(flag)
  expect(backupArgs({ access: rest, version: '0.14.0' }, { ...request, ...options })).not.toContain(
    '--read-concurrency=4',
  )
})

test('a newer restic waits for a lock by itself', () => {
  expect(backupArgs({ access: rest, version: '0.16.0' }, request)).toContain('--retry-lock=600s')
})

test('ssh is told never to ask, where restic can pass it on', () => {
  expect(catConfigArgs({ access: sftp, version: '0.18.0' }).join(' ')).toContain(
    '-o sftp.args=-oBatchMode=yes',
  )
  expect(catConfigArgs({ access: sftp, version: '0.14.0' })).toEqual(['cat', 'config', '--no-lock'])
})

test('the command is shown as a person would type it, with the secrets masked', () => {
  const target: Target = { access: s3, version: '0.18.0' }
  const shown = shownCommand(target, backupArgs(target, request), { paths: ['/srv', "/home/it's mine"] })
  expect(shown.split('\n')).toEqual([
    'RESTIC_PASSWORD=••••••••',
    'AWS_DEFAULT_REGION=eu-1',
    'AWS_ACCESS_KEY_ID=••••••••',
    'AWS_SECRET_ACCESS_KEY=••••••••',
    `restic -r s3:https://s3.lan/bucket backup --json --retry-lock=600s --host h1 --tag a --tag b --exclude -x --exclude '*.tmp' -- /srv '/home/it'\\''s mine'`,
  ])
})

test.each([
  ['rest, old', rest, '0.14.0'],
  ['rest', rest, '0.18.0'],
  ['s3', s3, '0.18.0'],
])('no secret stands in the arguments or in the shown command: %s', (_, access, version) => {
  const target = { access, version }
  const args = backupArgs(target, request)
  const visible = [...args, shownCommand(target, args, { paths: ['/srv'] })].join('\n')
  for (const secret of secretsOf(access)) {
    expect(visible).not.toContain(secret)
    expect(visible).not.toContain(encodeURIComponent(secret))
  }
})

test('a command with very many paths is shown in part and says so', () => {
  const target = { access: rest, version: '0.18.0' }
  const paths = Array.from({ length: 1_000 }, (_, index) => `/${'x'.repeat(4_000)}${index}`)
  const shown = shownCommand(target, backupArgs(target, request), { paths })
  expect(shown.length).toBeLessThan(100_000)
  expect(shown).toMatch(/… and \d+ more paths$/)
})

test('a command that is cut keeps whole characters, so that the server can take it', () => {
  const target: Target = { access: sftp, version: '0.18.0' }
  for (const shift of ['', 'x']) {
    const excludes = Array.from({ length: 100 }, () => `${shift}${'\u{1F4BE}'.repeat(1_000)}`)
    const shown = shownCommand(target, backupArgs(target, { ...request, excludes: [shift, ...excludes] }))
    expect(shown.length).toBeLessThan(100_000)
    expect(shown.isWellFormed()).toBe(true)
  }
})

test('a user name and its secret in one base64 word, as HTTP carries them, are known as a secret', () => {
  expect(secretsOf(rest)).toContain(`${rest.username}:${rest.credential}`)
})
