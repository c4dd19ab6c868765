// A server turned hostile, against an agent whose owner has said what may be done: each rule of the policy file and each way
// around it, with the ledger of a fake restic as the witness of what really ran.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { JobKind } from '@restic-manager/contract/job'
import { until } from '@restic-manager/testkit/until'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hostileEnd, lender, ownersFolder, plainSpecs, type Loose, type Run } from './testing-hostile.ts'
import { backupOrder, hourlyBackup } from './testing-orders.ts'

const { folder, hooks, allowed, mark, writePolicy, remove } = ownersFolder()
afterAll(remove)
const inside = join(allowed, 'atlas')
const vault = 'rest:https://vault.example.com/atlas/'
const specs = plainSpecs()
const lent = lender(inside, specs)
const backup = (change: Loose = {}): Loose => ({ ...specs.backup, ...change })
const hostWith = (policyFile: string, name?: string) => hostileEnd({ policyFile, url: inside, mark, name })

const strict = {
  hooks: 'listed',
  hooksFolder: hooks,
  repositories: [`${allowed}/**`, 'rest:https://vault.example.com/**', 'azure:backups:**', 'rclone:cloud:**'],
  environment: ['AZURE_ENDPOINT_SUFFIX', 'RESTIC_CACERT'],
  uploadKibps: 500,
  downloadKibps: 700,
}

/** What a restic would do if it took a text for a flag. */
const flag = `--password-command=touch ${mark}`

describe('an owner who has said what is allowed', () => {
  const host = hostWith(writePolicy('strict', strict), flag)
  beforeAll(() => host.open())
  afterAll(() => host.close())

  test.each(JobKind.options)(
    'a %s of a repository elsewhere is refused with access lent for it, and runs within what is allowed (row 40)',
    async kind => {
      const { reason, error } = await host.refused(lent({ url: '/etc/cron.d' }, kind))
      expect(reason).toBe('refused_by_policy')
      expect(error).toMatch(/"repositories".*Allowed: .*allowed/)
      const runs = await host.ran(lent({}, kind))
      expect(runs.length).toBeGreaterThan(0)
      expect(new Set(runs.map(({ env }) => env['RESTIC_REPOSITORY']))).toEqual(new Set([inside]))
      for (const { argv } of runs)
        expect(argv).toEqual(expect.arrayContaining(['--limit-upload=500', '--limit-download=700']))
    },
  )

  test.each([
    ['another folder', '/var/lib'],
    ['a folder whose name begins alike', `${allowed}-too`],
    ['a link out of the folder', join(allowed, 'way-out/atlas')],
    ['another server', 'rest:https://evil.example/atlas/'],
    ['a server whose name ends alike', 'rest:https://vault.example.com.evil.example/'],
    ['plain HTTP', 'rest:http://vault.example.com/atlas/'],
    ['another port', 'rest:https://vault.example.com:8443/atlas/'],
    ['a way up, its slash encoded', 'rest:https://vault.example.com/a/..%2fb/'],
    ['another storage', 'sftp:root@127.0.0.1:/etc/cron.d'],
    ['a bucket', 's3:https://evil.example/bucket'],
    ['another remote of the host', 'rclone:private:atlas'],
  ])('%s is no place for a repository (row 40)', async (_, url) => {
    const { reason, error } = await host.refused(lent({ url }))
    expect([reason, error]).toEqual(['refused_by_policy', expect.stringContaining('"repositories"')])
  })

  test('a place that a configuration names is held to the policy as one that is lent (row 40)', async () => {
    const configVersion = host.configure({ url: '/etc/cron.d' })
    expect((await host.refused({ ...backupOrder(), configVersion })).error).toContain('"repositories"')
    expect(
      host
        .desk()
        .restic.runs()
        .map(({ repository }) => repository),
    ).not.toContain('/etc/cron.d')
    await host.ran({ ...backupOrder(), configVersion: host.configure({}) })
  })

  test.each([
    ['a way up', `${allowed}/../../etc`],
    ['an option of ssh', 'sftp:-oProxyCommand=id:/x'],
    ['a program in the host of ssh', 'sftp:a@$(id):/x'],
    ['an option of restic', '--password-command=id'],
    ['an option of rclone', 'rclone:--password-command=id:x'],
    ['a remote made on the way', 'rclone::sftp,ssh="id":x'],
    ['a remote with options of its own', 'rclone:cloud,ssh=id:x'],
    ['a socket', 'rest:http+unix:///run/docker.sock:/x'],
    ['a password in the address', 'rest:https://a:b@vault.example.com/'],
    ['a path that depends on where one stands', 'allowed/atlas'],
  ])('%s is no address at all (row 40)', async (_, url) => {
    const { reason, error } = await host.refused(lent({ url }))
    expect([reason, error]).toEqual(['unsupported', expect.stringContaining('does not understand')])
  })

  test.each([
    ['LD_PRELOAD', '/tmp/x.so'],
    ['PATH', '/tmp'],
    ['RESTIC_PASSWORD_COMMAND', 'id'],
    ['RESTIC_PASSWORD_FILE', '/dev/zero'],
    ['RESTIC_REPOSITORY', '/etc/cron.d'],
    ['RESTIC_CACHE_DIR', '/etc'],
    ['TMPDIR', '/etc'],
    ['HTTPS_PROXY', 'http://evil.example'],
    ['SSL_CERT_FILE', '/dev/zero'],
    ['RCLONE_SFTP_SSH', 'id'],
    ['RCLONE_CONFIG', '/tmp/rclone.conf'],
    ['RCLONE_CONFIG_CLOUD_SSH', 'id'],
    // Of other storages; with some of these a library runs a program or reads settings from a file.
    ['AWS_CONFIG_FILE', '/tmp/config'],
    ['AWS_SHARED_CREDENTIALS_FILE', '/dev/zero'],
    ['GOOGLE_APPLICATION_CREDENTIALS', '/dev/zero'],
    ['AZURE_FORCE_CLI_CREDENTIAL', 'true'],
    ['AZURE_ENDPOINT_SUFFIX', 'evil.example'],
    ['RESTIC_CACERT', '/dev/zero'],
    ['RESTIC_CACERT', 'ca.pem'],
  ])('%s=%s is not set for restic (row 40)', async (name, value) => {
    const { reason, error } = await host.refused(lent({ url: vault, environment: { [name]: value } }))
    expect([reason, error]).toEqual(['refused_by_policy', expect.stringContaining(name)])
  })

  const endless = [
    '/dev/zero',
    '/dev/stdin',
    join(folder, 'fifo'),
    join(folder, 'endless'),
    '/proc/kmsg',
    folder,
  ]

  test.each(['RESTIC_CACERT', 'key_file', 'known_hosts_file'])(
    'no file that never ends, waits for a writer or is none is read as a %s (row 40)',
    async name => {
      for (const file of endless) {
        const order =
          name === 'RESTIC_CACERT'
            ? lent({ url: vault, environment: { [name]: `/etc/hostname,${file}` } })
            : lent({ url: 'rclone:cloud:x', credential: `type = sftp\nhost = h\n${name} = ${file}` })
        const { reason, error } = await host.refused(order)
        expect([reason, error]).toEqual(['refused_by_policy', expect.stringMatching(`${name}.*plain file`)])
      }
    },
  )

  test.each([
    ['alias', 'remote = /etc'],
    ['azureblob', 'use_az = true'],
    ['azureblob', 'env_auth = true'],
    ['chunker', 'remote = /etc'],
    ['combine', 'upstreams = a=/etc'],
    ['crypt', 'remote = :sftp,ssh=id:x'],
    ['drive', 'service_account_file = /dev/zero'],
    ['google cloud storage', 'service_account_file = /dev/zero'],
    ['hasher', 'remote = /etc'],
    ['http', 'url = http://169.254.169.254/'],
    ['local', 'links = true'],
    ['s3', 'env_auth = true'],
    ['s3', 'profile = other'],
    ['s3', 'shared_credentials_file = /dev/zero'],
    ['sftp', 'ssh = id'],
    ['sftp', 'server_command = id'],
    ['sftp', 'md5sum_command = id'],
    ['sftp', 'sha1sum_command = id'],
    ['sftp', 'pubkey_file = /dev/zero'],
    ['smb', 'kerberos_ccache = /dev/zero'],
    ['swift', 'env_auth = true'],
    ['union', 'upstreams = /etc'],
    ['webdav', 'bearer_token_command = id'],
    ['webdav', 'unix_socket = /run/docker.sock'],
    ['constructor', 'x = y'],
    ['local', '__proto__ = x'],
  ])('a remote of the type %s with %s reaches no rclone (row 40)', async (type, line) => {
    const order = lent({ url: 'rclone:cloud:x', credential: `type = ${type}\n${line}` })
    const { reason, error } = await host.refused(order)
    expect([reason, error]).toEqual(['refused_by_policy', expect.stringContaining('may not be')])
  })

  test('the place of an Azure account is set only together with its key (row 40)', async () => {
    const azure = {
      url: 'azure:backups:/',
      username: 'a',
      environment: { AZURE_ENDPOINT_SUFFIX: 'evil.example' },
    }
    const { reason, error } = await host.refused(lent(azure))
    expect([reason, error]).toEqual(['refused_by_policy', expect.stringContaining('together with the key')])
    const [run] = await host.ran(lent({ ...azure, credential: 'c2VjcmV0' }))
    expect(run?.env).toMatchObject({ AZURE_ENDPOINT_SUFFIX: 'evil.example', AZURE_ACCOUNT_KEY: 'c2VjcmV0' })
  })

  test('a name of environment that the owner lists reaches restic (row 40)', async () => {
    const [run] = await host.ran(lent({ url: vault, environment: { RESTIC_CACERT: '/etc/hostname' } }))
    expect(run?.env['RESTIC_CACERT']).toBe('/etc/hostname')
  })

  test('a remote of rclone that is a folder of the host counts as that folder (row 40)', async () => {
    const local = (path: string) => lent({ url: `rclone:cloud:${path}`, credential: 'type = local' })
    expect((await host.refused(local('/etc/cron.d'))).error).toContain('"repositories"')
    await host.ran(local(inside))
  })

  test.each([
    ['a script', { script: `touch ${mark}` }, /only the programs in its folder/],
    ['a program that is not there', { name: 'absent' }, /cannot be run/],
    ['a program that others may write', { name: 'open-to-all' }, /written by others/],
    ['a link out of the folder', { name: 'leads-out' }, /leads out of the folder/],
  ])('%s is no hook, before or after a backup (row 40)', async (_, hook, words) => {
    for (const field of ['preHook', 'postHook']) {
      const { reason, error } = await host.refused(lent({}, 'backup', backup({ [field]: hook })))
      expect([reason, error]).toEqual(['refused_by_policy', expect.stringMatching(words)])
    }
  })

  test('a listed program runs as a hook, and not by a shell that the server names (row 40)', async () => {
    const configVersion = host.configure({}, { hookShell: join(folder, 'beside') })
    const order = { ...lent({}, 'backup', backup({ preHook: { name: 'dump' } })), configVersion }
    await host.ran(order)
    await until(() =>
      host
        .desk()
        .log(order.jobId)
        .some(entry => 'payload' in entry && entry.payload === 'pre-hook: dumped'),
    )
    expect(existsSync(mark)).toBe(false)
  })

  test.each<[string, JobKind, Loose]>([
    ['a hook with a path', 'backup', backup({ preHook: { name: '../beside' } })],
    ['a path that is an option', 'backup', { paths: ['--password-command=id'] }],
    ['free flags', 'backup', backup({ flags: ['-o', 'sftp.command=id'] })],
    ['free options', 'backup', backup({ options: { 'rclone.program': 'id' } })],
    ['files from a list', 'backup', backup({ options: { filesFrom: '/etc/shadow' } })],
    ['another cache', 'backup', backup({ options: { cacheDir: '/etc' } })],
    ['a number beyond all use', 'backup', backup({ options: { uploadKibps: 1e300 } })],
    ['a number that is none', 'check', { readPercent: 'all --cache-dir=/etc' }],
    ['a repository to copy from', 'init', { fromRepo: '/etc' }],
  ])('a job with %s is not understood (row 40)', async (_, kind, spec) => {
    const { reason, error } = await host.refused(lent({}, kind, spec))
    expect([reason, error]).toEqual(['unsupported', expect.stringContaining(`"${kind}"`)])
  })

  test('a text that looks like a flag is a pattern, a tag or a name to restic wherever it may stand (row 40)', async () => {
    const words = [flag, '-o', '--repo=/etc', '-rf', '--', '--cache-dir', '-']
    const spec = backup({
      ...{ excludes: words, tags: words },
      options: { iexcludes: words, excludeIfPresent: words },
    })
    const runs = await host.ran(lent({}, 'backup', spec))
    const argv = runs.find(({ command }) => command === 'backup')?.argv ?? []
    expect(host.desk().restic.snapshots().at(-1)).toMatchObject({
      hostname: flag,
      tags: expect.arrayContaining(words),
    })
    expect(
      ownFlags(argv).filter(word => !/^(backup|--json|--(retry-lock|limit-\w+)=\w+)$/.test(word)),
    ).toEqual([])
    expect(existsSync(mark)).toBe(false)
  })

  test('a duration that is none keeps nothing, and lets nothing go (row 40)', async () => {
    const order = lent({}, 'forget', { ...specs.forget, retention: { within: '1d --prune' } })
    host.desk().end.order(order)
    expect((await host.desk().ending(order.jobId)).status).toBe('failed')
    expect(JSON.stringify(host.desk().restic.runs())).not.toContain('--prune')
  })

  test.each(['restore', 'dump', 'mount', 'run', 'constructor'])(
    'a job of the kind %s is not understood (row 40)',
    async kind => {
      const order = { ...backupOrder(), kind, spec: { target: '/etc' } } as unknown as Run
      expect((await host.refused(order)).reason).toBe('unsupported')
    },
  )

  test('a faster wish than the owner allows changes nothing, a slower one counts (row 40)', async () => {
    const asked = async (options: Loose) => {
      const runs = await host.ran(lent({}, 'backup', backup({ options })))
      return runs.find(({ command }) => command === 'backup')?.argv
    }
    const fast = { uploadKibps: 100_000_000, downloadKibps: 100_000_000 }
    expect(await asked(fast)).toEqual(expect.arrayContaining(['--limit-upload=500', '--limit-download=700']))
    expect(await asked({ uploadKibps: 20 })).toContain('--limit-upload=20')
  })

  test('a plan is held to the policy like an order (row 40)', async () => {
    const [fine, script] = [hourlyBackup(), hourlyBackup({ preHook: { script: `touch ${mark}` } })]
    host.desk().end.plan({ version: 1, configVersion: 0, schedules: [fine, script] })
    const ack = await until(() => host.desk().end.memory.planAcks.at(-1))
    expect(ack.rejected).toMatchObject([{ scheduleId: script.id, code: 'hooks_not_allowed' }])
  })
})

describe('an owner who has written nothing', () => {
  const host = hostWith(join(folder, 'absent.json'))
  beforeAll(() => host.open())
  afterAll(() => host.close())

  test.each<[string, Loose, Loose, RegExp]>([
    ['a script', {}, { preHook: { script: `touch ${mark}` } }, /allows no hooks/],
    ['a program', {}, { postHook: { name: 'dump' } }, /allows no hooks/],
    ['a folder of the system', { url: '/etc/cron.d' }, {}, /"repositories"/],
    [
      'a remote that is such a folder',
      { url: 'rclone:a:/etc', credential: 'type = local' },
      {},
      /"repositories"/,
    ],
    [
      'a name of environment of another storage',
      { environment: { AWS_CONFIG_FILE: '/x' } },
      {},
      /AWS_CONFIG_FILE/,
    ],
  ])('lets no server have %s (row 40)', async (_, access, change, words) => {
    const { reason, error } = await host.refused(lent({ url: vault, ...access }, 'backup', backup(change)))
    expect([reason, error]).toEqual(['refused_by_policy', expect.stringMatching(words)])
  })

  test('lets it have a storage elsewhere (row 40)', async () => {
    expect(await host.ran(lent({ url: vault }))).not.toEqual([])
  })
})

describe.each([
  ['a damaged file', '{ "hooks": "inline", '],
  ['a file with a key nobody knows', { repositories: ['**'], hooks: 'inline', restorRoots: [] }],
])('an owner with %s', (name, policy) => {
  const host = hostWith(writePolicy(name.replaceAll(' ', '-'), policy))
  beforeAll(() => host.open())
  afterAll(() => host.close())

  test('nothing runs, and each job says why (row 40)', async () => {
    for (const kind of JobKind.options) {
      const { reason, error } = await host.refused(lent({ url: vault }, kind))
      expect([reason, error]).toEqual(['refused_by_policy', expect.stringContaining('is not followed')])
    }
  })
})

/** What restic reads as flags and names of commands: all but the values of those that take one. */
function ownFlags(argv: readonly string[]): string[] {
  const takesValue = /^--(host|tag|i?exclude|exclude-if-present|i?exclude-file|files-from-raw)$/
  const own: string[] = []
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? ''
    if (takesValue.test(word)) at += 1
    else own.push(word)
  }
  return own
}
